"""What the package tells the registry about itself."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from airflow_agari_provider.provider_info import HOME

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
README = (ROOT / "README.md").read_text()
RELATIVE = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def shown() -> str:
    """The README as the registry shows it."""
    text = README
    for rule in PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    return text


def test_the_registry_shows_the_pictures_and_follows_the_links_of_the_readme():
    assert len(RELATIVE.findall(README)) > 10
    assert RELATIVE.findall(shown()) == []
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", shown())
    assert len(pictures) == len(re.findall(r"!\[", README)) > 2
    assert all(picture.startswith("https://raw.githubusercontent.com/") for picture in pictures)
    files = [address.partition("/main/")[2] for address in re.findall(rf"\(({HOME}/blob/main/[^)#]+)", shown())]
    assert files
    for name in files:
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("target", sorted(set(RELATIVE.findall(README))))
def test_what_the_readme_links_to_exists(target):
    assert (ROOT / target).exists()


def test_the_project_names_its_home_everywhere_the_same():
    assert PROJECT["project"]["urls"]["Homepage"] == HOME
    assert all(address.startswith(HOME) for address in PROJECT["project"]["urls"].values())


def test_the_package_carries_its_types():
    assert (ROOT / "airflow_agari_provider" / "py.typed").exists()
    assert "Typing :: Typed" in PROJECT["project"]["classifiers"]
