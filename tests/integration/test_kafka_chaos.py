"""The short form of ``make chaos``: workers are killed and the broker is stopped while a log is played."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.loop import Plan, Report, run
from tests.integration.brokers import MARKS, REQUIRED, NoBrokerError

pytestmark = list(MARKS)

SHORT = Plan(seed=5, kills=2, restarts=1, joins=0, broker_stops=1, broker_kills=0, wards=1, pause=5.0)


def test_whoever_is_killed_nothing_is_lost_and_nothing_invented(tmp_path: Path) -> None:
    try:
        report = run(SHORT, tmp_path, lambda _: None)
    except NoBrokerError as error:
        if os.environ.get(REQUIRED) == "1":
            raise
        pytest.skip(f"no Kafka of its own for this test: {error}")
    assert report.good, report
    assert report.expected > 100


@pytest.mark.parametrize(
    "fault", ["lost", "invented", "different", "rejects_lost", "rejects_invented", "rejects_twice"]
)
def test_each_fault_is_enough_for_the_report_not_to_be_good(fault: str) -> None:
    report = Report(1, [], [], [], [], [], twice=3, rejects_twice=[])
    assert report.good
    setattr(report, fault, ["somewhere"])
    assert not report.good


def test_the_seed_decides_what_happens() -> None:
    plan = Plan(seed=3, kills=20, restarts=5, joins=2, broker_stops=1, broker_kills=1, wards=1, pause=1.0)
    assert plan.harms() == plan.harms()
    assert len(plan.harms()) == 29
