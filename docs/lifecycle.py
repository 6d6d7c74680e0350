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
accept, decline, snooze), or that it calls for somebody (ask, rest, escalate); what is not in the table changes nothing.
Alerts in these states are shown: {shown}.

**Attention** is a state of its own: *asked* while an answer is wanted, *answered* once somebody has given one, *at
rest* where nobody is called. An alert asks whenever the rules stand behind it at high or medium priority and nobody
has answered what it says now: when it is new, when it comes back after it was off the board or less urgent, when it
becomes more urgent, when something else must be fixed first, and when its window is about to close. Why it asks and
what an interruption waits for is in [`rules/attention.py`](../rules/attention.py).

```mermaid
stateDiagram-v2
    [*] --> new
{edges}
```

| state | what happens | next state | announced as | attention |
| --- | --- | --- | --- | --- |
{rows}
"""


def render() -> str:
    """The transition table as a diagram and as a table, in Markdown."""
    labels: dict[tuple[str, str], list[str]] = {}
    for (state, trigger), outcome in TRANSITIONS.items():
        labels.setdefault((state, outcome.state), []).append(trigger)
    edges = [f"    {state} --> {following}: {', '.join(on)}" for (state, following), on in labels.items()]
    rows = [
        f"| {state} | {on} | {outcome.state} | {outcome.change} | {outcome.attention or 'as before'} |"
        for (state, on), outcome in TRANSITIONS.items()
    ]
    visible = ", ".join(state for state in AlertState if shown(state))
    return _TEXT.format(shown=visible, edges="\n".join(edges), rows="\n".join(rows))


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
