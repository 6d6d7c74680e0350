"""The newest change of an alert is its present state, however often older ones are said again."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.cli import open_ward
from monitor.demo.build import LOG as DEMO_LOG
from rules.outputs import AlertChange, encode_change
from streams.kafka.present import PresentAlerts, UnreadableAlertError, decode_alert
from streams.logfile import read_log
from streams.replay import replay
from streams.summary import Tally


@cache
def changes() -> tuple[AlertChange, ...]:
    with read_log(DEMO_LOG, lambda bad: pytest.fail(str(bad))) as log:
        said = replay((event for _, event in log), open_ward(None, ()), Tally())
        return tuple(change for change in said if isinstance(change, AlertChange))


@settings(deadline=None)  # the first of them replays the demo
@given(st.lists(st.integers(0, 40)))
def test_what_is_said_again_after_a_crash_changes_nothing(crashes: list[int]) -> None:
    alerts = PresentAlerts()
    for change in changes():
        alerts.take(change)
    newest = alerts.in_order()
    for begin in crashes:
        assert not any(alerts.take(change) for change in changes()[begin:])
    assert alerts.in_order() == newest
    assert {change.id: change for change in newest} == {change.id: change for change in changes()}


def test_an_alert_is_read_as_it_was_written() -> None:
    assert [decode_alert(encode_change(change).encode()) for change in changes()] == list(changes())


@given(st.none() | st.binary())
def test_any_bytes_are_an_alert_or_a_described_fault(value: bytes | None) -> None:
    with pytest.raises(UnreadableAlertError, match=r"\w"):
        decode_alert(value)
