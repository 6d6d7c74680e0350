"""Figures of a running worker, for Prometheus: few, set once per batch, and never about one patient.

What is counted as a fault of the monitor is logged, too: it is for whoever runs it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from math import nan
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from rules.outputs import AlertChange
from streams.processor import Outcome
from streams.trust import TrustedTime

_log: Final = logging.getLogger(__name__)

_LATENCIES: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class WorkerMetrics:
    """The figures of one worker; ``registry`` holds nothing else.

    Args:
        idle: seconds since anything was applied while there was something to apply; 0 while there is nothing.
    """

    def __init__(self, idle: Callable[[], float]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # half of the library is typed
        self.registry = CollectorRegistry()
        known: dict[str, Any] = {"namespace": "rescue_monitor", "registry": self.registry}
        self._events = Counter(
            "events", "Records of the inputs, by what became of them.", ["topic", "outcome"], **known
        )
        self._alerts = Counter("alert_changes", "Changes of alerts, suppressions among them.", ["change"], **known)
        self._rejected = Counter("rejected", "Records that could not be used, or only in part.", ["reason"], **known)
        self._latency = Histogram(
            "event_to_alert_seconds",
            "From the arrival of a record to the alert that it brought about being stored.",
            buckets=_LATENCIES,
            **known,
        )
        self._faults = Counter("faults", "Patients set aside because of a fault in the monitor.", ["kind"], **known)
        self.set_aside = Gauge("patients_set_aside", "Patients who are not watched because of a fault.", **known)
        self._lost = Counter("lost_records", "Records that were deleted before they were read.", ["topic"], **known)
        self._states = Counter("states_kept", "States of patients that were stored.", **known)
        self.lag = Gauge("lag_records", "Records that are there and have not been applied.", **known)
        self.held = Gauge(
            "held_records", "Records behind a transaction that has not ended: nobody can read them.", **known
        )
        self.patients = Gauge("patients", "Patients whose state is held.", **known)
        self.partitions = Gauge("partitions", "Partitions that are held.", **known)
        self.recovery = Gauge("recovery_seconds", "How long it last took to restore the state of partitions.", **known)
        self.ready = Gauge("ready", "1 if partitions are held and their state is restored.", **known)
        self._skew = Gauge(
            "clock_skew_seconds", "How far this machine's clock is ahead of its senders'; NaN if not known.", **known
        )
        self._skew.set(nan)
        self._doubted = Gauge(
            "clock_doubted", "1 if nothing says how old data are: no time that senders state can be used.", **known
        )
        self._idle = Gauge("seconds_since_progress", "Since anything was applied while there is something.", **known)
        self._idle.set_function(idle)

    def published(self, outcome: Outcome, latencies: Iterable[float]) -> None:
        """An outcome has been stored."""
        for (topic, what), count in outcome.events.items():
            self._events.labels(str(topic), what).inc(count)
        for said in outcome.said:
            if isinstance(said.change, AlertChange):
                self._alerts.labels(str(said.change.change)).inc()
        for rejected in outcome.rejected:
            self._rejected.labels(rejected.kind).inc()
        for aside in outcome.faults:
            self._faults.labels(aside.fault.kind).inc()
            _log.error("%s", aside.text())
        for seconds in latencies:
            self._latency.observe(seconds)

    def unreadable(self, reason: str) -> None:
        """A message has been refused before it became a record."""
        self._rejected.labels(reason).inc()

    def clock(self, trust: TrustedTime) -> None:
        """How the clocks stand."""
        skew = trust.skew
        self._skew.set(nan if skew is None else skew.total_seconds())
        self._doubted.set(trust.doubted)

    def lost(self, topic: str, records: int) -> None:
        """So many records are gone that nobody has read."""
        self._lost.labels(str(topic)).inc(records)

    def kept(self, states: int) -> None:
        """So many states have been stored."""
        self._states.inc(states)
