"""Publishes the head of the audit, signed: in the log and as a figure, which are kept elsewhere."""

from __future__ import annotations

import logging
import sqlite3
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from streams.embedded.heads import Signer, newest

EVERY: Final = timedelta(hours=1)
_log: Final = logging.getLogger("rescue_monitor.audit")


class Heads:
    """Publishes a head every hour; what has been said of an earlier one stays in the log.

    Args:
        signer: has the key.
        registry: of the figures.
    """

    def __init__(self, signer: Signer, registry: CollectorRegistry) -> None:
        self._signer = signer
        self._published: datetime | None = None
        self._head = Gauge(
            "audit_head",
            "Entries of the audit up to the head that was published last, with its digest and signature.",
            ["digest", "at", "key", "signature"],
            namespace="rescue_monitor",
            registry=registry,
        )

    def due(self, now: datetime) -> bool:
        """Whether it is time for the next; so it is after a clock that was ahead has come back."""
        return self._published is None or abs(now - self._published) >= EVERY

    def publish(self, connection: sqlite3.Connection, now: datetime) -> None:
        """Publish the head as it is."""
        self._published = now
        statement = self._signer.state(newest(connection, now))
        head = statement.head
        self._head.clear()
        self._head.labels(head.digest, head.at, statement.key, statement.signature).set(head.entries)
        _log.info("%s", statement)
