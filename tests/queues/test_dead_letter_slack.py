from __future__ import annotations

from airflow_agari_provider.queues.dead_letter_slack import slack_report


def test_slack_gets_no_markup_out_of_a_message():
    text, blocks = slack_report("a & b", "<!channel> ```bold``` " + "&" * 4000, "body")
    shown = [block["text"]["text"] for block in blocks]
    assert text == shown[0] == "a &amp; b"
    assert shown[1].startswith("```&lt;!channel&gt; '''bold''' &amp;")
    assert "<" not in shown[1]
    assert shown[1].endswith("(4022 characters)```")
    assert shown[2] == "```body```"
    assert max(map(len, shown)) <= 3000


def test_slack_is_told_when_no_exception_is_known():
    assert slack_report("title", None, "body")[1][1]["text"]["text"] == "```No exception text is known.```"


def test_a_note_stands_below_the_title():
    shown = [block["text"]["text"] for block in slack_report("title", "boom", None, "2 unclaimed, <!here>")[1]]
    assert shown == ["title", "2 unclaimed, &lt;!here&gt;", "```boom```"]
