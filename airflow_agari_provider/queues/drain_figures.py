"""What a wait for drained queues tells: its figures, and a line for the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_agari_provider.queues.drain_watch import DrainWatch


def figures(watch: DrainWatch) -> dict[str, Any]:
    """Return the figures of the wait as JSON can hold them."""
    seconds = watch.seconds
    found: dict[str, Any] = {
        "seconds": round(seconds, 1),
        "polls": watch.polls,
        "unknown_polls": watch.unknown_polls,
        "depth_start": watch.depth_start,
        "depth_peak": watch.depth_peak,
        "depth_end": watch.depth.total,
        "messages_seen": watch.arrived,
        "messages_per_second": round(watch.left / seconds, 3) if seconds else None,
        "dead_letters_before": watch.dead_letters_before
        | {url: count.before_or_last for url, count in watch.letters.items() if count.readings},
        "dead_letters_after": dict(watch.dead_letters),
        "new_dead_letters": sum(now - before for before, now in watch.dead_letter_growth.values()),
    }
    if watch.unread_dead_letters:
        found["unread_dead_letters"] = watch.unread_dead_letters
    if watch.unknown_dead_letters:
        found["unknown_dead_letters"] = watch.unknown_dead_letters
    return found


def in_words(watch: DrainWatch) -> str:
    """Say in one line what the last poll saw, and how long the rest may take."""
    words = [str(watch.depth) if len(watch.depths) < 2 else f"{watch.depth} in {len(watch.depths)} queues"]
    if watch.quiet_since is not None and watch.polled_at is not None:
        words.append(f"empty for {watch.polled_at - watch.quiet_since:.0f} of {watch.quiet_period:.0f} s")
    elif watch.depth.total == 0:
        words.append(f"{watch.arrived} of {watch.expected_messages} expected message(s) seen")
    elif watch.left:
        rate = watch.left / max(watch.seconds, 1)
        words.append(f"{rate:.2f} messages/s leave, about {watch.depth.total / rate:.0f} s to go")
    if watch.unknown_polls:
        words.append(f"{watch.unknown_polls} poll(s) unanswered")
    words += [f"dead letters {before} -> {now}" for before, now in watch.dead_letter_growth.values()]
    words += [f"{new} new in {url}, of unknown queues" for url, new in watch.unknown_dead_letters.items()]
    words += [f"dead letters of {url} unknown" for url in watch.unread_dead_letters]
    return "; ".join(words)
