"""Whether a new version of a schema fits to an older one, by Avro's rules for schema resolution."""

from __future__ import annotations

from typing import Any, Literal

from airflow_agari_provider.avro.reader_defaults import parsed_reader
from airflow_agari_provider.avro.resolution import ReaderSchemaMismatch, require_resolvable

Compatibility = Literal["backward", "forward", "full", "none"]


def why_incompatible(new: Any, old: Any, mode: Compatibility) -> str | None:
    """
    Return why a new schema does not fit to an old one, as a clause; None if it does.

    :param mode: ``backward``: who reads by the new schema can read what was written by the old one; ``forward``: the
        other way round; ``full``: both; ``none``: everything fits.
    :raises ValueError: one of them is not a valid schema, or a default is not a value of its field.
    """
    one, other = parsed_reader(new), parsed_reader(old)
    directions = {"backward": [(other, one)], "forward": [(one, other)], "full": [(other, one), (one, other)]}
    for writer, reader in directions.get(mode, []):
        try:
            require_resolvable(writer, reader, "the other version", every_value=True)
        except ReaderSchemaMismatch as error:
            return error.problem
    return None
