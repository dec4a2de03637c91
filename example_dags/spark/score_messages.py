"""
Score the messages of a window by their own proofs and the trust model; count scored and skipped ones by organisation.
With --summaries, also sum up the scored ones by organisation, hour and sending domain.

The job reads and writes Avro with Spark's own data source and uses only Spark SQL expressions. The same file runs on
Spark 3.3 to 4 and on EMR 6 with its Python 3.7; a cluster needs spark-avro.
"""

from __future__ import annotations

import argparse
import functools
import logging
from datetime import datetime, timezone

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812  (its customary name)
from pyspark.sql.utils import AnalysisException

logger = logging.getLogger("score_messages")

MESSAGE_SCHEMA = """
    message_id STRING, org_id INT, received_at TIMESTAMP, header_from STRING, envelope_from STRING, sending_ip STRING,
    spf_result STRING, dkim_result STRING, dkim_domain STRING, dmarc_result STRING
"""
MODEL_SCHEMA = "kind STRING, subject STRING, messages LONG, days INT, authenticated DOUBLE, reputation DOUBLE"

# A message is skipped for the first of these reasons that holds. Duplicates are looked for only among the usable
# messages, so a malformed copy never takes the place of a good one.
OUTSIDE, NO_SENDER, UNPARSABLE, DUPLICATE = "outside the window", "no sender", "unparsable address", "duplicate"
REASONS = (OUTSIDE, NO_SENDER, UNPARSABLE, DUPLICATE)

# Summands of the log-odds that a message is genuine. A proof and a good reputation outweigh an unknown network. On a
# good network, a proof is enough for an unknown domain. A proof alone, by an unknown domain on an unknown network, is
# not enough: forgers register domains too.
BIAS = -2.0
DKIM_PROOF = 4.0
SPF_PROOF = 3.5  # if there is no proof by DKIM; less, because SPF vouches for a server, which may have many customers
PROOF_MISSING = -4.0  # times the share of the domain's mail that has a proof
POLICY_BROKEN = -2.5  # the domain's DMARC policy says not to trust this message
LOOK_ALIKE = -4.0
DOMAIN, PAIR, NETWORK = 0.6, 0.9, 0.4  # times the log-odds of the subject's reputation
UNKNOWN = 0.2  # reputation of a subject that is not in the model; build_trust_model.py smooths towards the same value
TRUSTED, SUSPICIOUS = 60, 20  # lowest scores of these verdicts


def main():
    arguments = parse_arguments()
    spark = SparkSession.builder.appName("score_messages").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    messages = read_avro(spark, listed(arguments.input), MESSAGE_SCHEMA)
    if arguments.organisations:
        messages = messages.where(F.col("org_id").isin(arguments.organisations))
    judged = with_reason(messages, arguments.window_start, arguments.window_end, arguments.files)
    model = spark.read.format("avro").schema(MODEL_SCHEMA).load(arguments.model)
    judged = with_score(judged, model).persist()  # once: the output, the summaries and the counts are all read from it
    scored = judged.where("reason IS NULL")
    write_avro(scored.drop("reason", "domain"), arguments.output)
    if arguments.summaries:
        write_avro(summaries(scored), arguments.summaries)
    counts(spark, judged, arguments.organisations).write.mode("overwrite").json(arguments.counts)
    spark.stop()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--input", nargs="+", required=True, metavar="PREFIX", help="where the messages are")
    parser.add_argument("--model", required=True, metavar="PREFIX", help="output of build_trust_model.py")
    parser.add_argument(
        "--output",
        required=True,
        metavar="PREFIX",
        help="where to write the scored messages; replaces what is there",
    )
    parser.add_argument(
        "--counts", required=True, metavar="PREFIX", help="where to write the counts; replaces what is there"
    )
    parser.add_argument(
        "--summaries", metavar="PREFIX", help="where to write the summaries; replaces what is there; default: nowhere"
    )
    parser.add_argument(
        "--window-start", required=True, type=instant, metavar="ISO", help="first instant of the window"
    )
    parser.add_argument(
        "--window-end", required=True, type=instant, metavar="ISO", help="first instant after the window"
    )
    parser.add_argument("--organisations", nargs="*", default=[], metavar="ID", help="score only these; default: all")
    parser.add_argument(
        "--files", type=int, default=8, help="how many files to write, and tasks to score with (default: 8)"
    )
    arguments = parser.parse_args()
    if arguments.window_start >= arguments.window_end:
        parser.error(f"the window ends at {arguments.window_end}, not after its start at {arguments.window_start}")
    try:
        arguments.organisations = [int(organisation) for organisation in listed(arguments.organisations)]
    except ValueError as error:
        parser.error(f"--organisations takes whole numbers: {error}")
    return arguments


def instant(text):
    """Return the date and time of an ISO 8601 text; without an offset, it is UTC."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))  # noqa: FURB162  (Python 3.7 does not read the Z)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)  # noqa: UP017  (no datetime.UTC in 3.7)


def with_reason(messages, start, end, partitions):
    """Return the columns that scoring needs, and for each message the reason to skip it: null if it is to be scored."""
    messages = messages.withColumn("from_domain", from_domain()).withColumn("network", network())
    received = F.col("received_at")
    reason = (
        F.when(received.isNull() | (received < start) | (received >= end), OUTSIDE)
        .when(F.col("header_from").isNull() | F.trim("header_from").isin("", "<>"), NO_SENDER)
        .when((F.col("from_domain") == "") | F.col("network").isNull(), UNPARSABLE)
    )
    facts = ["received_at", "from_domain", "network", "sending_ip", "spf_result", "dkim_result", "dmarc_result"]
    proofs = [spf_proves().alias("spf_proves"), dkim_proves().alias("dkim_proves")]
    messages = messages.select(required("message_id"), required("org_id"), *facts, *proofs, reason.alias("reason"))
    # This one shuffle brings copies of a message together, and it sets the number of output files.
    copies = messages.repartition(partitions, "org_id", "message_id")
    usable_first = [F.col("reason").isNotNull(), received, F.xxhash64(*messages.columns)]
    copy = F.row_number().over(Window.partitionBy("org_id", "message_id").orderBy(*usable_first))
    repeated = F.col("reason").isNull() & (copy > 1)
    return copies.withColumn("reason", F.when(repeated, DUPLICATE).otherwise(F.col("reason")))


def required(name):
    """
    Return the column; the job fails if a message has no value in it.

    Otherwise, if collectors renamed the field, all messages would count as copies of one message.
    """
    problem = F.concat(F.lit(f"a message has no {name} in "), F.input_file_name())
    return F.coalesce(F.col(name), F.raise_error(problem)).alias(name)


def with_score(messages, model):
    """
    Return the messages as the importers load them, with a score from 0 to 100 and a verdict; and domain and reason.

    Skipped messages have a score too, which means nothing.
    """
    messages = messages.withColumn("domain", organisational("from_domain"))
    subjects = {
        "domain": F.col("domain"),
        "network": F.col("network"),
        "pair": F.concat_ws(" ", "domain", "network"),
        # A domain seen on three or more days is not a look-alike: skip the expressions for it.
        "look": F.when(F.coalesce("domain_days", F.lit(0)) < 3, look("domain")),
    }
    for kind, subject in subjects.items():
        facts = [F.col(name).alias(f"{kind}_{name}") for name in ("messages", "days", "authenticated", "reputation")]
        known = model.where(F.col("kind") == kind).select(F.col("subject").alias(f"{kind}_subject"), *facts)
        messages = messages.join(F.broadcast(known), subject == F.col(f"{kind}_subject"), "left")
    score = F.round(100 / (1 + F.exp(-log_odds())), 2)
    verdict = F.when(score >= TRUSTED, "trusted").when(score >= SUSPICIOUS, "suspicious").otherwise("untrusted")
    hour = F.date_format("received_at", "yyyy-MM-dd'T'HH").alias("hour")
    facts = ["received_at", "from_domain", "sending_ip", "spf_result", "dkim_result", "dmarc_result"]
    scores = [score.alias("trust_score"), verdict.alias("verdict")]
    return messages.select("message_id", "org_id", hour, *facts, *scores, "domain", "reason")


def log_odds():
    missing = PROOF_MISSING * F.coalesce("domain_authenticated", F.lit(0.0))
    proof = F.when(F.col("dkim_proves"), DKIM_PROOF).when(F.col("spf_proves"), SPF_PROOF).otherwise(missing)
    broken = F.when(F.col("dmarc_result") == "fail", POLICY_BROKEN).otherwise(0.0)
    famous = F.col("look_messages") >= 10 * F.coalesce("domain_messages", F.lit(0))
    alike = F.when(famous, LOOK_ALIKE).otherwise(0.0)
    names = DOMAIN * log_odds_of("domain") + PAIR * log_odds_of("pair") + NETWORK * log_odds_of("network")
    return BIAS + proof + broken + alike + names


def log_odds_of(kind):
    reputation = F.coalesce(f"{kind}_reputation", F.lit(UNKNOWN))
    reputation = F.least(F.greatest(reputation, F.lit(0.01)), F.lit(0.99))
    return F.log(reputation / (1 - reputation))


def summaries(scored):
    """
    Return one row for each organisation, hour and sending domain that has scored messages.

    messages       how many messages the domain sent; the subdomains of a registered domain count as that domain
    mean_trust     mean of their trust scores
    spoofed_share  share of them whose verdict is untrusted, from 0 to 1
    """
    spoofed = (F.col("verdict") == "untrusted").cast("int")
    rows = scored.groupBy("org_id", "hour", "domain").agg(
        F.count("*").alias("messages"),
        F.round(F.avg("trust_score"), 2).alias("mean_trust"),
        F.round(F.avg(spoofed), 4).alias("spoofed_share"),
    )
    return rows.coalesce(1)


def write_avro(rows, prefix):
    rows.write.mode("overwrite").format("avro").option("compression", "deflate").save(prefix)


def counts(spark, judged, organisations):
    """
    Return lines of stage, key (the organisation) and count. The stages are read, scored and every reason to skip.

    Counts of 0 are included. Scored and skipped add up to read, because a message has at most one reason. An
    organisation named by ``--organisations`` has its lines even if it sent no message.
    """
    ones = judged.select("org_id", "reason", F.lit(1).alias("count"))
    if organisations:
        asked_for = F.explode(F.array(*[F.lit(organisation) for organisation in organisations])).alias("org_id")
        zeros = [F.lit(None).cast("string").alias("reason"), F.lit(0).alias("count")]
        ones = ones.unionByName(spark.range(1).select(asked_for, *zeros))
    stages = {"read": F.lit(True), "scored": F.col("reason").isNull()}
    stages.update({f"skipped: {reason}": F.col("reason") == reason for reason in REASONS})
    key = F.col("org_id").cast("string").alias("key")
    lines = [
        F.struct(F.lit(stage).alias("stage"), key, F.sum(F.when(counted, F.col("count")).otherwise(0)).alias("count"))
        for stage, counted in stages.items()
    ]
    by_organisation = ones.groupBy("org_id").agg(F.array(*lines).alias("lines")).coalesce(1)
    return by_organisation.sortWithinPartitions("org_id").selectExpr("inline(lines)")


# From here to the end: the same in both jobs (a test compares them), so that each is one file to submit.


def listed(words):
    """Return the names in the words of an option; one word may have several, separated by commas, or none."""
    return [name for word in words for name in word.split(",") if name]


def read_avro(spark, prefixes, schema):
    """
    Return the records of all *.avro files below the prefixes.

    A prefix that does not exist counts as empty, because an hour without mail has no objects. Folder names are not read
    as partitions: ``org_id=14`` in a path must not become a column in addition to the record's own org_id.
    """
    reader = spark.read.format("avro").schema(schema)
    reader = reader.option("recursiveFileLookup", "true").option("pathGlobFilter", "*.avro")
    try:
        return reader.load(prefixes)
    except AnalysisException as error:
        if "Path does not exist" not in str(error):
            raise
    if len(prefixes) > 1:
        return functools.reduce(DataFrame.unionByName, [read_avro(spark, [prefix], schema) for prefix in prefixes])
    logger.warning("Nothing to read under %s: it does not exist", prefixes[0])
    fields = [field.split() for field in schema.split(",")]
    return spark.range(0).select(*[F.lit(None).cast(kind).alias(name) for name, kind in fields])


def from_domain():
    """Domain of the address in the From header, in lower case; '' if there is not exactly one valid address."""
    address = r"^(?:.*<)?\s*[^\s<>@]+@((?:[a-z0-9_-]+\.)+[a-z][a-z0-9-]*)\s*>?\s*$"
    return F.regexp_extract(F.lower("header_from"), address, 1)


def network():
    """First 24 bits of an IPv4 address, as 198.51.100, or 48 of an IPv6 one, as 2001:db8:7; null for other texts."""
    byte, group = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])", "[0-9a-f]{1,4}"
    groups = f"(?:{group}(?::{group})*)?"
    full = f"{group}(?::{group}){{7}}"
    shortened = f"(?=(?:[^:]*:){{2,7}}[^:]*$){groups}::{groups}"
    address = F.lower("sending_ip")
    ipv4 = F.substring_index(F.substring_index(address, ":", -1), ".", 3)
    ipv6 = F.substring_index(F.regexp_replace(address, "::.*", ":0:0:0"), ":", 3)
    is_ipv4 = address.rlike(rf"^(?:::ffff:)?{byte}(?:\.{byte}){{3}}$")
    return F.when(is_ipv4, ipv4).when(address.rlike(f"^(?:{full}|{shortened})$"), ipv6)


def organisational(domain):
    """Registered part of a domain: acme.example for news.acme.example, acme.co.uk for news.acme.co.uk."""
    registered = F.substring_index(domain, ".", -2)
    shared = registered.rlike(r"^(?:ac|co|com|edu|gov|ne|net|or|org)\.[a-z]{2}$")
    return F.when(shared, F.substring_index(domain, ".", -3)).otherwise(registered)


def proves(result, domain):
    """Whether a check passed for the organisation that the From header shows (relaxed alignment of RFC 7489, 3.1)."""
    aligned = (domain == F.col("from_domain")) | (organisational(domain) == organisational("from_domain"))
    return F.coalesce((F.col(result) == "pass") & aligned, F.lit(False))


def spf_proves():
    return proves("spf_result", F.lower(F.substring_index("envelope_from", "@", -1)))


def dkim_proves():
    return proves("dkim_result", F.lower("dkim_domain"))


def look(domain):
    """
    Return a text that is the same for names which people easily confuse.

    Words that forgers add are removed from the registered name, and letters that look alike become one letter.
    """
    word = "secure|login|account|billing|payments?|support|service|verify|update|online|mail"
    name = F.regexp_replace(F.substring_index(domain, ".", 1), f"(?<=.)(?:-?(?:{word}))+$", "")
    name = F.regexp_replace(F.regexp_replace(name, "rn", "m"), "vv", "w")
    return F.regexp_replace(F.translate(name, "01345i-", "oleasl"), r"(.)\1+", "$1")


if __name__ == "__main__":
    main()
