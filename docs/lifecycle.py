"""Writes ``docs/lifecycle.md``, the life of an alert, from the table that the engine follows.

Run ``python docs/lifecycle.py`` from the top of the repository after a change to ``rules/lifecycle.py``.
"""
# ruff: noqa: INP001 - a script, imported by nothing

from __future__ import annotations

from pathlib import Path
from typing import Final

from rules.lifecycle import TRANSITIONS, AlertState, shown

PAGE: Final = Path(__file__).with_suffix(".md")

_TEXT: Final = """\
# The life of an alert

<!-- Written by docs/lifecycle.py from rules/lifecycle.py; do not edit. -->

This is `rules.lifecycle.TRANSITIONS`, the only thing that changes the state of an alert. What happens to it is what
the rules say (support, update, amend, withdraw, resolve, suppress, expire), what a clinician answers (acknowledge,
accept, decline, snooze), or that nobody has answered (escalate); what is not in the table changes nothing.
Alerts in these states are shown: {shown}.

```mermaid
stateDiagram-v2
    [*] --> new
{edges}
```

| state | what happens | next state | announced as |
| --- | --- | --- | --- |
{rows}
"""


def render() -> str:
    """The transition table as a diagram and as a table, in Markdown."""
    labels: dict[tuple[str, str], list[str]] = {}
    for (state, trigger), (following, _) in TRANSITIONS.items():
        labels.setdefault((state, following), []).append(trigger)
    edges = [f"    {state} --> {following}: {', '.join(on)}" for (state, following), on in labels.items()]
    rows = [f"| {state} | {on} | {following} | {kind} |" for (state, on), (following, kind) in TRANSITIONS.items()]
    visible = ", ".join(state for state in AlertState if shown(state))
    return _TEXT.format(shown=visible, edges="\n".join(edges), rows="\n".join(rows))


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
