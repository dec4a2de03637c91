import java.io.File;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.file.CodecFactory;
import org.apache.avro.file.DataFileWriter;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;

/** The files java_*.avro: see README.md. Arguments: the schema's file, the folder. */
public class WriteFiles {
    public static void main(String[] arguments) throws Exception {
        Schema schema = new Schema.Parser().parse(new File(arguments[0]));
        for (String codec : new String[] {"null", "deflate", "snappy", "zstandard", "bzip2", "xz"}) {
            write(schema, codec, new File(arguments[1], "java_" + codec + ".avro"));
        }
        for (Schema.Field field : schema.getFields()) {
            if (field.name().equals("subject")) {
                GenericData.setStringType(field.schema().getTypes().get(1), GenericData.StringType.String);
            }
        }
        write(schema, "null", new File(arguments[1], "java_string_type.avro"));
    }

    private static void write(Schema schema, String codec, File file) throws Exception {
        try (DataFileWriter<GenericRecord> writer = new DataFileWriter<>(new GenericDatumWriter<>(schema))) {
            writer.setCodec(CodecFactory.fromString(codec));
            writer.setMeta("written.by", "Java");
            writer.create(schema, file);
            byte[] amount = {(byte) 0xfb, 0x2e};
            byte[] digest = {0, 1, (byte) 0xfe, (byte) 0xff};
            writer.append(record(schema, 1, "d\u00e9j\u00e0 vu", 1461819600000007L, amount, "bad", digest,
                List.of("a", "b"), Map.of("k", 5L)));
            writer.sync();
            writer.append(record(schema, -2, null, -1000000, new byte[1], "good", "abcd".getBytes(), List.of(), Map.of()));
        }
    }

    private static GenericRecord record(Schema schema, long id, String subject, long receivedAt, byte[] amount,
            String verdict, byte[] digest, List<String> tags, Map<String, Long> headers) {
        GenericRecord record = new GenericData.Record(schema);
        record.put("id", id);
        record.put("subject", subject);
        record.put("received_at", receivedAt);
        record.put("amount", ByteBuffer.wrap(amount));
        record.put("verdict", new GenericData.EnumSymbol(schema.getField("verdict").schema(), verdict));
        record.put("digest", new GenericData.Fixed(schema.getField("digest").schema(), digest));
        record.put("tags", tags);
        record.put("headers", headers);
        return record;
    }
}
