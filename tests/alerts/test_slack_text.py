from __future__ import annotations

import pytest

from airflow_agari_provider.alerts.slack_text import escaped, section


@pytest.mark.parametrize(("limit", "expected"), [(8, "a&amp;b"), (7, "a&amp;…"), (6, "a…")])
def test_nothing_is_cut_inside_an_escape(limit, expected):
    assert escaped("a&b", limit) == expected


@pytest.mark.parametrize(
    ("text", "preformatted", "expected"),
    [
        ("<!channel> <https://evil|click>", False, "&lt;!channel&gt; &lt;https://evil|click&gt;"),
        ("`code` & more", False, "`code` &amp; more"),
        ("`code` & more", True, "'code' &amp; more"),
        ("a\u202etxt.exe\u2066\u200f", False, "atxt.exe"),
    ],
    ids=["a mention and a link", "backticks", "backticks between backticks", "marks of direction"],
)
def test_escaped_text_holds_no_mention_and_ends_no_block(text, preformatted, expected):
    assert escaped(text, preformatted=preformatted) == expected


def test_a_section_is_taken_as_it_is():
    assert section("@here https://evil #general")["text"] == {
        "type": "mrkdwn",
        "text": "@here https://evil #general",
        "verbatim": True,
    }
