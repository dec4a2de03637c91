from __future__ import annotations

import pytest

from airflow_agari_provider.databases.errors import MissingColumns, MissingTable
from airflow_agari_provider.s3.objects import FoundObject
from tests.avro.scored_messages import messages


def test_a_table_without_a_column_of_the_file_is_told_before_anything_is_loaded(importer, put, rows):
    put("a.avro", messages(1))
    importer(columns=["message_id", "org_id"]).import_object("agari", "a.avro")
    put("b.avro", messages(1, first=1))
    with pytest.raises(
        MissingColumns, match="no column 'hour', 'received_at', 'trust_score'; it has 'message_id', 'org_id'"
    ):
        importer().import_object("agari", "b.avro")
    assert rows() == ["m0"]


def test_a_missing_table_is_told(importer, put):
    put("a.avro", messages(1))
    with pytest.raises(MissingTable, match="create_table"):
        importer(create_table=False).import_object("agari", "a.avro")
    window = {"mode": "replace", "replace_where": "hour = '2016-04-28T05'"}
    with pytest.raises(MissingTable, match="create_table"):
        importer(create_table=False, **window).replace_window([FoundObject("agari", "a.avro", "")])
