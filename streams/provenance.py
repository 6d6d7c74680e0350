"""Who said an event: what the service says itself is taken from nobody else, and stays recognisable in a log."""

from __future__ import annotations

from typing import Final

from rules.events import decode, encode

OWN: Final = "rescue-monitor"
"""The source of the service's own events: answers, each by whoever a token belongs to."""

RECORDED: Final = "rescue-monitor-log"
"""What that source is called in a log: whoever reads the log has not seen the token."""

_MAY_BE_OWN: Final = f'"source":"{OWN}"'


def is_own(source: str) -> bool:
    """Whether a source is the service's own, or looks like it."""
    return source.casefold() == OWN


def recorded(line: str) -> str:
    """A line of the service's log as others may read it."""
    if _MAY_BE_OWN not in line:
        return line
    event = decode(line)
    return encode(event.model_copy(update={"source": RECORDED})) if event.source == OWN else line


RESERVED: Final = f"source: {OWN} is the source of the service's own events"
"""Why an event that claims to be one is refused."""
