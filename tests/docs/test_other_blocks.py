"""The shell commands and JSON documents of the pages."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from airflow_agari_provider.commands import agari
from tests.docs.blocks import ROOT, blocks

SHELL = blocks("bash", "sh", "console")
PLAIN = blocks("")
COMMANDS = re.compile(r"^(make|pip|python3?|airflow|aws|curl|export|git|docker) ", re.MULTILINE)


def commands(text: str) -> list[list[str]]:
    """The words of each command, without comments."""
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def is_variable(words: list[str]) -> bool:
    return words[0] == "export" or bool(re.match(r"[A-Z_]+=", words[0]))


def kind(block) -> str:
    """How a block is tried: the mark before it says so, or it is of a kind that is run here."""
    if block.mark:
        return "marked"
    found = {"variable" if is_variable(words) else words[0] for words in commands(block.text)}
    return " ".join(sorted(found))


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_each_shell_block_is_run_or_says_why_not(block):
    assert kind(block) in ("marked", "make", "variable", "airflow", "agari")
    if block.mark.startswith("run by make "):
        assert f"{block.mark.removeprefix('run by make ')}:" in (ROOT / "Makefile").read_text()
    elif block.mark.startswith("run by "):
        assert (ROOT / block.mark.removeprefix("run by ")).is_file()
    elif block.mark:
        assert block.mark.startswith("not run: ")


@pytest.mark.parametrize("block", [block for block in SHELL if kind(block) == "make"], ids=str)
def test_make_knows_what_the_pages_ask_it_for(block):
    if shutil.which("make") is None:
        pytest.skip("no make on this machine; on Debian: apt-get install make")
    for words in commands(block.text):
        subprocess.run([words[0], "--dry-run", *words[1:]], cwd=ROOT, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("block", [block for block in SHELL if kind(block) == "agari"], ids=str)
def test_agari_knows_the_commands(block):
    for words in commands(block.text):
        assert callable(agari.parser().parse_args(words[1:]).run)


@pytest.mark.parametrize("block", [block for block in SHELL if kind(block) == "variable"], ids=str)
def test_a_shell_takes_the_variables(block):
    done = subprocess.run(["sh", "-e", "-c", f"set -a\n{block.text}\nenv"], check=True, capture_output=True, text=True)
    for words in commands(block.text):
        for assignment in words[words[0] == "export" :]:
            name, _, value = assignment.partition("=")
            assert f"{name}={value}" in done.stdout
            if value.startswith("{"):
                json.loads(value)


# What ``airflow`` does, for all commands in one process: each process takes seconds to start.
ADD = """
import json, sys
from airflow.utils.db import initdb

initdb()
from airflow.cli.cli_parser import get_parser

for words in json.loads(sys.argv[1]):
    arguments = get_parser().parse_args(words[1:])
    arguments.func(arguments)
"""


def test_the_connections_are_added(tmp_path):
    settings = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
    }
    (block,) = [block for block in SHELL if kind(block) == "airflow"]
    added = commands(block.text)
    script = [sys.executable, "-c", ADD, json.dumps(added)]
    subprocess.run(script, check=True, timeout=300, env={**os.environ, **settings})
    with closing(sqlite3.connect(tmp_path / "airflow.db")) as database:
        found = {row[0] for row in database.execute("SELECT conn_id FROM connection")}
    assert found == {words[3] for words in added}


@pytest.mark.parametrize("block", PLAIN, ids=str)
def test_a_block_without_a_language_is_output_and_not_a_command(block):
    assert not COMMANDS.search(block.text)


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_is_json_and_policies_are_of_the_current_version(block):
    document = json.loads(block.text)
    if "Statement" in document:
        assert document["Version"] == "2012-10-17"
        assert all(statement["Effect"] == "Allow" for statement in document["Statement"])
