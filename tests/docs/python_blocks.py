"""The Python blocks of a page as one DAG file, which grows from block to block as its reader's does."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.version import Version

from tests.docs.blocks import Block, blocks_of


def runs_here(block: Block) -> bool:
    """Whether this Airflow has what the block needs, by its mark ``needs Airflow 3.2``."""
    needed = block.mark.removeprefix("needs Airflow ")
    return needed == block.mark or Version(needed) <= Version(Version(version("apache-airflow")).base_version)


def dag_file(page: Path) -> str:
    """Return the blocks of a page, each on the line where it is in the page, so that errors name that line."""
    lines: list[str] = []
    for block in blocks_of(page, "python"):
        if runs_here(block):
            lines += [""] * (block.line - 1 - len(lines)) + block.text.splitlines()
    return "\n".join(lines) + "\n"


def run(page: Path) -> dict[str, Any]:
    """Run what the page's blocks define; returns their names."""
    names: dict[str, Any] = {"__name__": "docs", "__file__": str(page)}
    exec(compile(dag_file(page), str(page), "exec", dont_inherit=True), names)
    return names
