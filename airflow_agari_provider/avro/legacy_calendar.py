"""
Dates as Spark 2, and Spark 3 in its legacy mode, write them: in the Julian calendar before 15 October 1582.

The number of days stands for the day that was called so then. Read by the calendar of Avro, it would have another
name: day -354280 is 1000-01-01 in such a file, and would become 1000-01-06. The header of a file says that it is one.
Source: Apache Spark, "Avro Data Source Guide", ``spark.sql.avro.datetimeRebaseModeInWrite``, and RebaseDateTime.scala.
"""

from __future__ import annotations

from datetime import date

HEADER_KEY = "org.apache.spark.legacyDateTime"
GREGORIAN_DAY = -141_427  # days from 1970 to 15 October 1582, the first day of the calendar of today
EPOCH_DAY = date(1970, 1, 1).toordinal()
JULIAN_EPOCH = 719_164  # days from the first of January of the year 1 in the Julian calendar to 1970-01-01
# Before 1900 time zones were local mean time, which Spark's legacy mode also takes into account; the file tells too
# little to undo that.
FIRST_SURE_SECOND = -2_208_988_800
CYCLE_DAYS = 1461  # four years


def rebased_day(days: int) -> int:
    """
    Return the number of days to the day of the same name in the calendar of today.

    29 February of a year that has none now becomes 1 March, as in Spark.

    :raises ValueError: the day is before the year 1.
    """
    if days >= GREGORIAN_DAY:
        return days
    cycle, day = divmod(days + JULIAN_EPOCH, CYCLE_DAYS)
    year = min(day // 365, 3)
    year, day = cycle * 4 + year + 1, day - year * 365
    if year < 1:
        raise ValueError(f"day {days} from 1970 is before the year 1")
    leap = year % 4 == 0
    first = date(year, 1, 1).toordinal() - EPOCH_DAY
    is_leap_now = leap and (year % 100 != 0 or year % 400 == 0)
    after_february = day >= 59 + leap
    return first + day - int(leap and not is_leap_now and after_february)


def sure_moment(per_second: int, number: int) -> int:
    """
    Return the number of a moment.

    :param per_second: how many of its units are a second.
    :raises ValueError: the moment is before 1900.
    """
    if number < FIRST_SURE_SECOND * per_second:
        raise ValueError(
            "Spark wrote a timestamp before 1900 by its legacy calendar, which cannot be undone for certain; write the "
            "file again with spark.sql.avro.datetimeRebaseModeInWrite=CORRECTED"
        )
    return number
