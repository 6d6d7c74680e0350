"""What every lasting runtime must do, whatever carries its events: a suite to be subclassed for each of them."""

import random
from collections.abc import Sequence
from typing import Protocol

import pytest

from monitor.demo.build import LOG as DEMO_LOG
from rules.events import Event
from streams.replay import in_stream_order
from tests.streams.stream import Words, events_of, said_by_replay

BEDS = ("bed-1", "bed-4", "bed-9")
"""Shock with amendments and suppressions, a quiet course, and an arrest, of which events do not wait."""


class RuntimeUnderTest(Protocol):
    """A runtime that is running."""

    def send(self, events: Sequence[Event]) -> None:
        """Events come in; returns when the runtime has acknowledged them, or whatever carries them has."""

    def close(self) -> None:
        """Every event that was received up to the newest has come: deadlines up to there are met."""

    def crash(self) -> None:
        """End without a word, as after kill -9, and start again from what is durable."""

    def said(self) -> Words:
        """All verdicts and alerts that it has published, once nothing is left to be applied."""


class Conformance:
    """Subclasses have a fixture ``runtime``; ``crashes`` is the share of pieces after which it crashes."""

    crashes = 0.4

    def test_it_says_what_a_replay_of_the_same_log_says(self, runtime: RuntimeUnderTest) -> None:
        runtime.send(log())
        runtime.close()
        assert runtime.said() == said_by_replay(*BEDS)

    @pytest.mark.parametrize("seed", range(2))
    def test_the_pieces_in_which_events_come_do_not_matter(self, runtime: RuntimeUnderTest, seed: int) -> None:
        for piece in pieces(seed):
            runtime.send(piece)
        runtime.close()
        assert runtime.said() == said_by_replay(*BEDS)

    def test_events_that_are_sent_again_change_nothing(self, runtime: RuntimeUnderTest) -> None:
        for piece in pieces(7):
            runtime.send(piece)
            runtime.send(piece[: len(piece) // 2])
        runtime.send(log()[-200:])
        runtime.close()
        assert runtime.said() == said_by_replay(*BEDS)

    @pytest.mark.parametrize("seed", range(2))
    def test_crashes_lose_nothing_and_invent_nothing(self, runtime: RuntimeUnderTest, seed: int) -> None:
        chance = random.Random(seed)
        for piece in pieces(seed):
            runtime.send(piece)
            if chance.random() < self.crashes:
                runtime.crash()
        runtime.close()
        runtime.crash()
        assert runtime.said() == said_by_replay(*BEDS)


def log() -> list[Event]:
    return list(in_stream_order(events_of(DEMO_LOG, *BEDS)))


def pieces(seed: int) -> list[list[Event]]:
    """The log in pieces of chance sizes; what was received at the same instant stays together."""
    chance, events = random.Random(seed), log()
    found: list[list[Event]] = []
    while events:
        size = min(len(events), chance.choice((1, 7, 60, 300)))
        while size < len(events) and events[size].received_at == events[size - 1].received_at:
            size += 1
        found.append(events[:size])
        events = events[size:]
    return found
