"""``python -m airflow_agari_provider.local``: what a person reads who has no extra installed, or names no command."""

from __future__ import annotations

import pytest

from airflow_agari_provider.local import __main__ as commands


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_without_the_extra_a_command_says_what_to_install(name, monkeypatch, capsys):
    monkeypatch.setattr(commands, "find_spec", lambda name: None)
    assert commands.main([name, "--help"]) == 1
    told = capsys.readouterr().err
    assert f"The command {name} needs packages that are not installed: " in told
    assert "psutil" in told
    assert "pip install 'airflow-agari-provider[local]'" in told


@pytest.mark.parametrize("arguments", [[], ["deploy"], ["--help"]])
def test_without_a_known_command_all_are_listed(arguments, capsys):
    assert commands.main(arguments) == 2
    told = capsys.readouterr().out
    assert "usage: python -m airflow_agari_provider.local COMMAND" in told
    assert all(name in told and command.does in told for name, command in commands.COMMANDS.items())


def test_a_command_gets_the_other_arguments(capsys):
    with pytest.raises(SystemExit, match="0"):
        commands.main(["aws", "--help"])
    assert "--ready-file" in capsys.readouterr().out
