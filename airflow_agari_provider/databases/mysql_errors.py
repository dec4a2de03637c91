"""What the error numbers of MySQL and MariaDB mean, whichever driver raises them."""

from __future__ import annotations

from typing import Any

from airflow_agari_provider.databases.base import Fault

DUPLICATE_COLUMN = 1060
# Error numbers; MySQL reference manual, "Server Error Message Reference" and "Client Error Message Reference". Drivers
# raise many of them as OperationalError, although they mean other things.
_ROWS = frozenset(
    {1048, 1062, 1118, 1264, 1265, 1292, 1364, 1366, 1369, 1406, 1411, 1451, 1452, 1644, 1690, 3140, 3819, 4025}
)
_CONFLICTS = frozenset({1020, 1205, 1213})
_PASSING = frozenset({1021, 1040, 1041, 1053, 1114, 1158, 1159, 1160, 1161, 1317, 2002, 2003, 2006, 2013, 2014, 2055})
# Of CREATE and ALTER TABLE: names that are too long, twice there or wrong; too many columns, or too large ones; SQL
# that does not parse; a key that is too long; digits beyond a decimal's limits.
OF_COLUMNS = frozenset({1059, 1060, 1064, 1071, 1074, 1117, 1118, 1166, 1170, 1425, 1426, 1427, 4017})


def number_of(error: Exception) -> int:
    """Return the number of an error; 0 without one."""
    number = error.args[0] if error.args else 0
    return number if isinstance(number, int) else 0


def fault_of(driver: Any, error: Exception) -> Fault:
    """See :meth:`airflow_agari_provider.databases.base.Dialect.fault`."""
    number = number_of(error)
    if number in _ROWS or isinstance(error, driver.IntegrityError | driver.DataError):
        return "rows"
    if number in _CONFLICTS:
        return "conflict"
    return "passing" if number in _PASSING or isinstance(error, driver.InterfaceError) else "target"
