from __future__ import annotations

import pytest

from airflow_agari_provider.local.__main__ import main


@pytest.mark.parametrize("arguments", [[], ["unknown"]], ids=["no command", "unknown command"])
def test_without_a_known_command_the_commands_are_listed(capsys, arguments):
    assert main(arguments) == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["demo", "aws", "emr"]


def test_a_command_gets_the_other_arguments(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["aws", "--help"])
    assert "--ready-file" in capsys.readouterr().out
