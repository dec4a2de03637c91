"""
Learn from the message metadata of several days which domains and which networks can be trusted.

The model is a table with figures about each subject: a domain, a network (/24, or /48 of IPv6), a pair of both, and the
look of a domain. Domains that people easily confuse have the same look.

The job reads and writes Avro with Spark's own data source and uses only Spark SQL expressions. The same file runs on
Spark 3.3 to 4 and on EMR 6 with its Python 3.7; a cluster needs spark-avro.
"""

from __future__ import annotations

import argparse
import functools
import logging

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812  (its customary name)
from pyspark.sql.utils import AnalysisException

logger = logging.getLogger("build_trust_model")

INPUT_SCHEMA = """
    received_at TIMESTAMP, header_from STRING, envelope_from STRING, sending_ip STRING,
    spf_result STRING, dkim_result STRING, dkim_domain STRING
"""

# A subject that was never seen counts as two messages, of which 0.4 were good. Unknown is rated bad, not neutral.
# Otherwise a forged message from a new network would profit from the good reputation of the domain that it shows.
PRIOR_MESSAGES = 2
UNKNOWN = 0.2


def main():
    arguments = parse_arguments()
    spark = SparkSession.builder.appName("build_trust_model").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    model = trust_model(read_avro(spark, listed(arguments.input), INPUT_SCHEMA))
    model.coalesce(1).write.mode("overwrite").format("avro").option("compression", "deflate").save(arguments.output)
    spark.stop()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--input", nargs="+", required=True, metavar="PREFIX", help="where these days' messages are")
    parser.add_argument(
        "--output", required=True, metavar="PREFIX", help="where to write the model; replaces what is there"
    )
    return parser.parse_args()


def trust_model(messages):
    """
    Return one row for each subject.

    kind            domain, network, pair or look
    subject         acme.example | 198.51.100 | acme.example 198.51.100 | acme
    messages, days  how many messages it had, and on how many days
    authenticated   share of these messages with an SPF or DKIM proof of the domain that they show
    reputation      share of good messages, smoothed towards UNKNOWN
    """
    messages = messages.withColumn("from_domain", from_domain()).withColumn("network", network())
    messages = messages.where("from_domain != '' AND network IS NOT NULL")
    pairs = messages.groupBy(organisational("from_domain").alias("domain"), "network").agg(
        F.count("*").alias("messages"),
        F.sum((spf_proves() | dkim_proves()).cast("long")).alias("authenticated"),
        F.size(F.collect_set(F.to_date("received_at"))).alias("days"),
    )
    # For a domain without proofs, its own servers are the ones that send a large part of its mail on several days.
    of_domain = Window.partitionBy("domain")
    proving = F.sum("authenticated").over(of_domain) >= 0.5 * F.sum("messages").over(of_domain)
    steady = (F.col("days") >= 2) & (F.col("messages") >= 0.1 * F.sum("messages").over(of_domain))
    good = F.when(~proving & steady, F.col("messages")).otherwise(F.col("authenticated"))
    pairs = pairs.withColumn("good", good)
    subjects = {
        "domain": F.col("domain"),
        "network": F.col("network"),
        "pair": F.concat_ws(" ", "domain", "network"),
        "look": look("domain"),
    }
    return functools.reduce(DataFrame.unionByName, [summary(pairs, kind, name) for kind, name in subjects.items()])


def summary(pairs, kind, subject):
    messages, good = F.sum("messages"), F.sum("good")
    return pairs.groupBy(subject.alias("subject")).agg(
        F.lit(kind).alias("kind"),
        messages.alias("messages"),
        F.max("days").alias("days"),
        (F.sum("authenticated") / messages).alias("authenticated"),
        ((good + PRIOR_MESSAGES * UNKNOWN) / (messages + PRIOR_MESSAGES)).alias("reputation"),
    )


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
