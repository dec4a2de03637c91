"""When a group of queues is drained, by scripted readings."""

from __future__ import annotations

import dataclasses
import itertools
import json
import pickle
from random import Random

import pytest

from airflow_agari_provider.queues.depth import DepthUnknown, QueueDepth, QueueUnreadable
from airflow_agari_provider.queues.drain_errors import DeadLettersGrew, Stalled
from airflow_agari_provider.queues.drain_watch import DrainWatch

Q = "https://sqs.us-east-1.amazonaws.com/123456789012/importer"
OTHER = "https://sqs.us-east-1.amazonaws.com/123456789012/importer-2"
DEAD = "https://sqs.us-east-1.amazonaws.com/123456789012/importer-dead"
EMPTY = QueueDepth(0, 0, 0)


def visible(count):
    return QueueDepth(count, 0, 0)


def drive(watch, readings, every=30):
    """Pauses the watch asks for, one reading every so many seconds; it is sent through JSON in between."""
    pauses = []
    for number, reading in enumerate(readings):
        watch = DrainWatch(**json.loads(json.dumps(dataclasses.asdict(watch))))
        depth, *dead = reading if isinstance(reading, tuple) else (reading,)
        if depth is None:
            pauses.append(watch.observe_unknown(DepthUnknown(Q, "no attributes"), number * every))
        else:
            pauses.append(watch.observe({Q: depth}, number * every, {DEAD: dead[0]} if dead else {}))
    return watch, pauses


@pytest.mark.parametrize(
    ("readings", "pauses"),
    [
        pytest.param([EMPTY] * 5, [30, 30, 30, 30, None], id="empty through the whole window"),
        pytest.param([EMPTY, EMPTY, visible(3), *[EMPTY] * 5], [30] * 7 + [None], id="a message restarts the window"),
        pytest.param([EMPTY, EMPTY, QueueDepth(0, 1, 0), *[EMPTY] * 5], [30] * 7 + [None], id="so does one in flight"),
        pytest.param([EMPTY, EMPTY, QueueDepth(0, 0, 1), *[EMPTY] * 5], [30] * 7 + [None], id="and a delayed one"),
        pytest.param([EMPTY, EMPTY, None, *[EMPTY] * 5], [30] * 7 + [None], id="unknown is never empty"),
        pytest.param([visible(9), visible(4), *[EMPTY] * 5], [30] * 6 + [None], id="drained by consumers"),
        pytest.param([visible(9), EMPTY, visible(9), EMPTY], [30, 30, 30, 10], id="drops are watched more closely"),
    ],
)
def test_drained_means_empty_through_a_whole_quiet_period(readings, pauses):
    assert drive(DrainWatch([Q]), readings)[1] == pauses


@pytest.mark.parametrize(
    ("every", "pauses"),
    [
        pytest.param(50, [30, 30, 20, None], id="slow polls do not shorten it"),
        pytest.param(7, [30] * 13 + [29, 22, 15, 8, 1, None], id="fast polls neither"),
    ],
)
def test_the_window_is_measured_by_the_clock_and_not_by_the_number_of_polls(every, pauses):
    assert drive(DrainWatch([Q]), [EMPTY] * len(pauses), every)[1] == pauses


def test_zeros_at_both_ends_of_a_long_gap_are_no_window():
    watch = DrainWatch([Q], quiet_period=120)
    watch.observe({Q: EMPTY}, 0)
    assert watch.observe({Q: EMPTY}, 121) == 30
    assert watch.observe({Q: EMPTY}, 241) is None


def test_a_queue_is_drained_even_if_every_poll_comes_too_late():
    assert drive(DrainWatch([Q]), [EMPTY] * 7, every=200)[1] == [30] * 6 + [None]


def test_late_polls_name_a_stall_too():
    with pytest.raises(Stalled, match="no consumer reads"):
        drive(DrainWatch([Q]), [visible(5)] * 40, every=200)


@pytest.mark.parametrize("seed", range(200))
def test_whatever_the_readings_drained_is_said_only_after_a_watched_quiet_period(seed):
    random = Random(seed)
    watch, now, seen = DrainWatch([Q], [DEAD], quiet_period=60, poll_interval=15, max_unknown=99), 0.0, []
    pause = 15
    while pause is not None and len(seen) < 500:
        now += random.choice([pause, pause, pause * random.random(), 1000])
        kind = random.choice(["empty"] * 9 + ["busy", "unknown", "other worker"])
        if kind == "other worker":
            watch.resume()
            seen.append((now, False))
        elif kind == "unknown":
            pause = watch.observe_unknown(DepthUnknown(Q, "no attributes"), now)
            seen.append((now, False))
        else:
            busy = QueueDepth(*random.choice([(1, 0, 0), (0, 1, 0), (0, 0, 1)]))
            pause = watch.observe({Q: busy if kind == "busy" else EMPTY}, now, {DEAD: 7})
            seen.append((now, kind == "empty"))
    last_doubt = max((at for at, empty in seen if not empty), default=0)
    quiet = [at for at, _ in seen if at > last_doubt]
    assert pause is None
    assert round(quiet[-1] - quiet[0], 6) >= 60
    gaps = [(a, b) for a, b in itertools.pairwise(quiet) if b - a > 60]
    assert len(gaps) >= 6 or not [gap for gap in gaps if round(quiet[-1] - gap[1], 6) < 60]


def test_a_group_is_drained_when_all_of_its_queues_are():
    watch = DrainWatch([Q, OTHER], quiet_period=30)
    assert watch.observe({Q: EMPTY, OTHER: visible(1)}, 0) == 30
    assert watch.observe({Q: visible(1), OTHER: EMPTY}, 30) == 30
    assert watch.observe({Q: EMPTY, OTHER: EMPTY}, 60) == 30
    assert watch.observe({Q: EMPTY, OTHER: EMPTY}, 90) is None


@pytest.mark.parametrize(
    ("guard", "readings", "pauses"),
    [
        pytest.param({"expected_messages": 3}, [EMPTY] * 4, [30] * 4, id="nothing has arrived yet"),
        pytest.param(
            {"expected_messages": 3}, [EMPTY, visible(2), visible(3), EMPTY, EMPTY], [30] * 4 + [None], id="3 arrived"
        ),
        pytest.param(
            {"expected_messages": 3},
            [visible(2), EMPTY, visible(1), EMPTY, EMPTY],
            [30] * 4 + [None],
            id="3 arrived one after the other",
        ),
        pytest.param({"not_before": 65}, [EMPTY] * 5, [30, 30, 30, 30, None], id="the window lies after not_before"),
        pytest.param(
            {"expected_messages": 3, "not_before": 60},
            [EMPTY, visible(1), EMPTY, EMPTY],
            [30, 30, 30, None],
            id="not_before ends the wait for messages nobody saw",
        ),
        pytest.param(
            {"expected_messages": 1, "not_before": 600},
            [visible(1), EMPTY, EMPTY],
            [30, 30, None],
            id="all that was expected came before not_before",
        ),
    ],
)
def test_empty_because_nothing_has_arrived_yet_does_not_count(guard, readings, pauses):
    assert drive(DrainWatch([Q], quiet_period=30, **guard), readings)[1] == pauses


def test_too_many_unknown_polls_in_a_row_end_the_wait():
    with pytest.raises(DepthUnknown, match=r"3 poll\(s\) in a row did not tell the depth"):
        drive(DrainWatch([Q], max_unknown=3), [EMPTY, None, None, EMPTY, None, None, None])


def test_an_answer_in_between_starts_the_count_of_unknown_polls_anew():
    watch, _ = drive(DrainWatch([Q], max_unknown=3), [EMPTY, None, None, EMPTY, None, None])
    assert watch.summary()["unknown_polls"] == 4


@pytest.mark.parametrize(
    ("on_dead_letters", "dead", "fails"),
    [
        pytest.param("fail", [4900] * 9, False, id="4,900 old ones pass"),
        pytest.param("fail", [4900] * 5 + [4901] * 5, True, id="one more fails"),
        pytest.param("fail", [0] * 5 + [1] * 5, True, id="the first one fails"),
        pytest.param("fail", [0] + [4900] * 9, False, id="a first count that was wrong"),
        pytest.param("fail", [0, 0, 4900, 0, 4900] + [4900] * 9, False, id="first counts that were wrong"),
        pytest.param("fail", [4900] * 5 + [4901] * 3 + [4900] * 6, False, id="a minute alone proves nothing"),
        pytest.param("fail", [4900] * 6 + [0, 0, 0] + [4900] * 6, False, id="counts that drop to 0 for a while"),
        pytest.param("fail", [4900] * 5 + [0] * 5 + [1] * 5, True, id="one more after somebody purged them fails"),
        pytest.param("fail", [4900, 4900, 4899, 4901, 4900, *[4901, 4901, 4900] * 3], False, id="flapping by one"),
        pytest.param("fail", [4900] * 5 + [4901, 4900, *[4901] * 6], True, id="one more, and an older count once"),
        pytest.param("fail", [7] * 5 + [9, 9, 0, 9, 9, 9, 9, 9], True, id="growth is told in spite of a drop"),
        pytest.param("warn", [0] * 5 + [1] * 9, False, id="warn passes"),
        pytest.param("ignore", [0] * 5 + [1] * 9, False, id="ignore passes"),
    ],
)
def test_dead_letters_are_judged_by_their_growth_since_the_wait_began(on_dead_letters, dead, fails):
    watch = DrainWatch([Q], [DEAD], on_dead_letters=on_dead_letters)
    readings = [(visible(1), count) for count in dead]
    if fails:
        with pytest.raises(DeadLettersGrew):
            drive(watch, readings)
    else:
        watch, _ = drive(watch, readings)
        assert bool(watch.dead_letter_growth) == (dead[-1] == 1)


def test_a_given_number_of_dead_letters_is_taken_as_it_is():
    watch, _ = drive(DrainWatch([Q], [DEAD], dead_letters_before={DEAD: 7}), [(visible(1), 7)] * 6)
    assert (watch.letters[DEAD].before, watch.letters[DEAD].unsure) == (7, False)


def test_late_polls_tell_of_dead_letters_too():
    with pytest.raises(DeadLettersGrew):
        drive(DrainWatch([Q], [DEAD]), [(visible(1), 3)] * 3 + [(visible(1), 5)] * 3, every=300)


def test_queues_that_count_exactly_need_two_counts():
    with pytest.raises(DeadLettersGrew) as caught:
        drive(DrainWatch([Q], [DEAD], quiet_period=5), [(visible(9), 7), (visible(8), 9), (visible(8), 9)], every=1)
    assert caught.value.growth == {DEAD: (7, 9)}


def test_growth_fails_as_soon_as_it_is_sure_and_not_when_the_queue_is_drained():
    with pytest.raises(DeadLettersGrew) as caught:
        drive(DrainWatch([Q], [DEAD]), [(visible(9), 7)] * 5 + [(visible(8), 9)] * 5)
    assert caught.value.growth == {DEAD: (7, 9)}


def test_growth_that_the_last_polls_saw_is_confirmed_before_the_verdict():
    _, pauses = drive(DrainWatch([Q], [DEAD]), [(visible(1), 0), *[(EMPTY, 0)] * 4, (EMPTY, 1), (EMPTY, 0)])
    assert pauses == [30] * 6 + [None]


def test_growth_before_the_first_poll_is_seen_with_a_count_from_the_beginning_of_the_run():
    with pytest.raises(DeadLettersGrew):
        drive(DrainWatch([Q], [DEAD], dead_letters_before={DEAD: 0}), [(EMPTY, 2)] * 5)


def test_dead_letters_that_cannot_be_read_hold_up_the_verdict_but_not_for_ever():
    watch = DrainWatch([Q], [DEAD], max_unknown=7, dead_letters_before={DEAD: 3})
    pauses = [watch.observe({Q: EMPTY}, 30 * number, {DEAD: 3} if number < 2 else {}) for number in range(9)]
    assert pauses == [30] * 8 + [None]
    assert watch.summary()["unread_dead_letters"] == [DEAD]


@pytest.mark.parametrize(
    ("settings", "readings", "cause"),
    [
        pytest.param({}, [visible(5)] * 4, "no consumer reads", id="no consumer"),
        pytest.param({}, [QueueDepth(5, 2, 0)] * 4, "hang", id="hanging consumers"),
        pytest.param(
            {},
            [QueueDepth(5, 0, 0), QueueDepth(4, 1, 0), QueueDepth(5, 0, 0), QueueDepth(3, 2, 0)],
            "come back",
            id="poison messages",
        ),
        pytest.param({"expected_messages": 2}, [EMPTY] * 4, "fewer messages", id="nothing arrives"),
        pytest.param(
            {"visibility_timeout": 120}, [QueueDepth(0, 1, 0)] * 5, "hang", id="in flight past the visibility timeout"
        ),
    ],
)
def test_a_stall_is_named_by_its_cause(settings, readings, cause):
    watch, _ = drive(DrainWatch([Q], stall_timeout=90, **settings), readings[:-1])
    with pytest.raises(Stalled, match=cause):
        watch.observe({Q: readings[-1]}, (len(readings) - 1) * 30)


@pytest.mark.parametrize(
    ("settings", "readings"),
    [
        pytest.param({}, [visible(9), visible(9), visible(8), visible(8), visible(7)], id="progress, though slow"),
        pytest.param({}, [visible(3), visible(1), visible(5), visible(4), visible(9)], id="new ones arrive meanwhile"),
        pytest.param({}, [QueueDepth(0, 0, 4)] * 5, id="delayed messages are not due"),
        pytest.param({"visibility_timeout": 300}, [QueueDepth(0, 1, 0)] * 5, id="in flight for a visibility timeout"),
        pytest.param({"stall_timeout": None}, [visible(5)] * 5, id="switched off"),
        pytest.param({"expected_messages": 9, "not_before": 9e9}, [EMPTY] * 5, id="waiting for not_before"),
        pytest.param({"quiet_period": 600}, [EMPTY] * 5, id="quiet"),
    ],
)
def test_what_goes_on_is_no_stall(settings, readings):
    drive(DrainWatch([Q], **{"stall_timeout": 60} | settings), readings)


@pytest.mark.parametrize(
    ("readings", "cause"),
    [
        pytest.param([1000, 1001, 999], "no consumer reads", id="an unread queue whose count is one off"),
        pytest.param([150, 150, 0, 0, 150, 150], "no consumer reads", id="an unread queue whose count drops to 0"),
    ],
)
def test_noise_is_no_progress(readings, cause):
    random = Random(1)
    with pytest.raises(Stalled, match=cause):
        drive(DrainWatch([Q]), [visible(random.choice(readings)) for _ in range(240)])


def test_a_poison_loop_is_named_although_its_counts_lag():
    random = Random(2)
    with pytest.raises(Stalled, match="come back"):
        drive(DrainWatch([Q]), [QueueDepth(random.randint(5, 12), random.randint(0, 8), 0) for _ in range(240)])


@pytest.mark.parametrize("every", [30, 130])
def test_a_depth_that_rises_while_consumers_work_is_no_stall(every):
    random = Random(3)
    drive(DrainWatch([Q]), [QueueDepth(50 + 2 * n + random.randint(0, 9), 4, 0) for n in range(240)], every)


def test_one_message_at_a_time_is_progress_however_slow():
    drive(DrainWatch([Q]), [QueueDepth(9 - n // 100, 1, 0) for n in range(800)])


@pytest.mark.parametrize(
    ("totals", "seen"),
    [
        pytest.param([20, 0] * 9, 20, id="flicker"),
        pytest.param([20, 0, 0, 0, 20, 20, 0, 20], 20, id="drops of 90 seconds"),
        pytest.param([20] * 3 + [0] * 6 + [20] * 3, 40, id="20 left, 20 more came"),
        pytest.param([5, 9, 20, 15, 3], 20, id="they come one after the other"),
    ],
)
def test_messages_that_flicker_arrive_once(totals, seen):
    assert drive(DrainWatch([Q]), [visible(total) for total in totals])[0].arrived == seen


@pytest.mark.parametrize(
    ("expected", "totals", "pauses"),
    [(0, [0, 0, 3], [30, 30, None]), (5, [0, 3, 4, 6], [30, 30, 30, None]), (5, [5], [None])],
)
def test_until_arrived_ends_when_the_messages_are_there(expected, totals, pauses):
    watch = DrainWatch([Q], until="arrived", expected_messages=expected, stall_timeout=30)
    assert drive(watch, [visible(total) for total in totals])[1] == pauses


def test_messages_that_were_there_before_do_not_count_as_arrived():
    watch = DrainWatch([Q], messages_before=40, expected_messages=60)
    watch, _ = drive(watch, [visible(40), visible(100), visible(70)])
    assert watch.arrived == 60


def test_whoever_takes_over_keeps_the_baseline_but_watches_a_whole_window_himself():
    watch, _ = drive(DrainWatch([Q], [DEAD], stall_timeout=90), [(visible(5), 3), *[(EMPTY, 3)] * 4])
    watch.resume()
    for now in (150, 180, 210, 240):
        assert watch.observe({Q: EMPTY}, now, {DEAD: 4}) == 30
    with pytest.raises(DeadLettersGrew):
        watch.observe({Q: EMPTY}, 270, {DEAD: 4})
    assert watch.started_at == 0
    assert watch.depth_peak == 5


def test_the_wait_is_told_in_figures():
    watch, _ = drive(DrainWatch([Q], [DEAD], quiet_period=30), [(visible(4), 2), (visible(7), 2), *[(EMPTY, 2)] * 2])
    assert watch.summary() == {
        "seconds": 90,
        "polls": 4,
        "unknown_polls": 0,
        "depth_start": 4,
        "depth_peak": 7,
        "depth_end": 0,
        "messages_seen": 7,
        "messages_per_second": 0.078,
        "dead_letters_before": {DEAD: 2},
        "dead_letters_after": {DEAD: 2},
        "new_dead_letters": 0,
    }


@pytest.mark.parametrize(
    ("readings", "words"),
    [
        ([QueueDepth(9, 1, 0)], "9 visible, 1 in flight, 0 delayed"),
        ([visible(20), visible(5)], "5 visible, 0 in flight, 0 delayed; 0.50 messages/s leave, about 10 s to go"),
        ([EMPTY, EMPTY], "0 visible, 0 in flight, 0 delayed; empty for 30 of 120 s"),
        ([visible(1), None], "1 visible, 0 in flight, 0 delayed; 1 poll(s) unanswered"),
    ],
)
def test_a_poll_tells_depth_rate_and_time_left(readings, words):
    assert str(drive(DrainWatch([Q]), readings)[0]) == words


@pytest.mark.parametrize(
    "error",
    [
        DepthUnknown(Q, "no attributes", 3),
        QueueUnreadable(Q, "AccessDenied"),
        Stalled(90, f"{Q}: 5 visible", "no consumer reads"),
        DeadLettersGrew({DEAD: (1, 2)}, "message 1"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_survive_the_way_to_another_process(error):
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
