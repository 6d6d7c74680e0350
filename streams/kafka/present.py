"""The present state of every alert, from a topic in which changes may come twice."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from rules.outputs import AlertChange


class UnreadableAlertError(ValueError):
    """A record that is no alert; the text says why, and quotes nothing of it."""


def decode_alert(value: bytes | None) -> AlertChange:
    """The alert in a record.

    Raises:
        UnreadableAlertError: naming each fault.
    """
    if value is None:
        raise UnreadableAlertError("empty")
    try:
        return AlertChange.model_validate_json(value)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        text = "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'record'}: {fault['msg']}" for fault in faults)
        raise UnreadableAlertError(text) from None


class PresentAlerts:
    """The newest change of each alert.

    After a crash a worker says again what it said last, so an older change may follow a newer one; it is passed over.
    """

    def __init__(self) -> None:
        self._newest: Final[dict[str, AlertChange]] = {}

    def take(self, change: AlertChange) -> bool:
        """Take in a change; returns whether it is newer than what was known of its alert."""
        known = self._newest.get(change.id)
        if known is not None and change.sequence <= known.sequence:
            return False
        self._newest[change.id] = change
        return True

    def in_order(self) -> list[AlertChange]:
        """The newest change of each alert, by the time of the decision."""
        return sorted(self._newest.values(), key=lambda change: (change.decided_at, change.patient, change.sequence))
