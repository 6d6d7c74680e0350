"""Changes as text for people: a block for each alert change, a line for each status change and first refusal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from monitor.cardtext import AGAINST, DATA_QUALITY, EVIDENCE, FIX_FIRST, RULE, Part, arranged, news, on_the_day, parts
from monitor.terminal import clean, show_time
from rules import catalogue
from rules.instants import MINUTE, format_duration
from rules.outputs import (
    Advice,
    AlertChange,
    AlertChangeKind,
    Amendment,
    Change,
    Priority,
    Rejection,
    State,
    StatusChange,
    TherapyStatus,
)
from rules.pathway import NOTICES
from rules.wording import name_identifiers, plain

SYMBOLS: Final = {Priority.HIGH: "!!!", Priority.MEDIUM: "!!", Priority.LOW: "!", Priority.INFORMATION: "i"}
"""The marks that IEC 60601-1-8 uses on equipment, so that a priority never depends on colour."""

_STYLES: Final = {
    Priority.HIGH: "bold red",
    Priority.MEDIUM: "bold dark_orange3",
    Priority.LOW: "bold cyan",
    Priority.INFORMATION: "bold",
}
_MEANINGS: Final = {
    AlertChangeKind.UPDATED: "Only the parts that changed are shown.",
    AlertChangeKind.AMENDED: "Late or corrected data changed this alert. Do not act on what it said before.",
    AlertChangeKind.WITHDRAWN: "Taken back. Do not act on what it said.",
    AlertChangeKind.EXPIRED: "Taken down. Do not act on what it said.",
    AlertChangeKind.SUPPRESSED: "Not shown at the bedside any more; recorded with its cause.",
}
_CAUSES: Final = {
    "running": "already running",
    "goals": "goals of care",
    "arrest": "cardiac arrest",
    "rosc": "circulation has returned; kept back while that is not yet sustained",
    "merged": "a more urgent suggestion stands for it",
}
_SHOWN_WHOLE: Final = frozenset({AlertChangeKind.RAISED, AlertChangeKind.AMENDED, AlertChangeKind.REOPENED})
_SPEAKS_UP: Final = _SHOWN_WHOLE | {AlertChangeKind.UPDATED, AlertChangeKind.ESCALATED}
_STRUCK: Final = frozenset({AlertChangeKind.WITHDRAWN, AlertChangeKind.SUPPRESSED, AlertChangeKind.EXPIRED})
_SAID_ONCE: Final = (EVIDENCE, DATA_QUALITY, RULE)
_SAID_BY_LINE: Final = (EVIDENCE, DATA_QUALITY)
_MARK_WIDTH: Final = 4
_LABEL_WIDTH: Final = 15


class Renderer:
    """Prints changes in the order given; remembers what it has shown, to show only what is new."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._cards: dict[str, dict[str, tuple[str, ...]]] = {}
        self._priorities: dict[str, Priority] = {}
        self._said: dict[Part, str] = {}
        self._states: dict[tuple[str, str], str] = {}
        self._statuses: dict[tuple[str, str], str] = {}
        self._kept_back: dict[tuple[str, str], frozenset[str]] = {}
        self._hidden: set[str] = set()
        self._refusals: set[tuple[str, str]] = set()
        self._day: date | None = None
        self._after_block = False

    def show(self, change: Change) -> None:
        """Print one change, if it says something new."""
        match change:
            case AlertChange() if change.id in self._cards and change.id not in self._hidden:
                self._show_alert(change)
            case AlertChange(change=AlertChangeKind.SUPPRESSED):
                self._show_kept_back(change)
            case AlertChange(change=AlertChangeKind.RESOLVED):
                pass  # nobody sees it any more, or ever did
            case AlertChange():
                self._show_alert(change)
            case StatusChange():
                self._show_status(change)
            case Rejection():
                self._show_rejection(change)

    def _show_kept_back(self, change: AlertChange) -> None:
        """One line for what is not shown, unless the status has just said so."""
        if change.subject in self._kept_back.get((change.patient, change.pathway), ()):
            return
        what = "notice kept back" if change.subject in NOTICES else "not suggested"
        self._print_line("-", change, clean(f"{change.pathway}: {change.subject} {what}: {_because(change)}"), "dim")

    def _show_alert(self, change: AlertChange) -> None:
        said = dict(parts(change))
        before = self._cards.get(change.id, {})
        self._cards[change.id] = said
        if change.change in _SHOWN_WHOLE:
            shown = self._without_repeats(change, said)
        elif change.change is AlertChangeKind.UPDATED:
            shown = {**self._new_priority(change), **dict(news(before, said))}
        elif change.change is AlertChangeKind.WITHDRAWN:
            shown = {label: said[label] for label in _grounds(change) if label in said}
        else:
            shown = {}
        self._priorities[change.id] = change.priority
        struck = change.change in _STRUCK
        if change.change is AlertChangeKind.SUPPRESSED:
            self._hidden.add(change.id)
        else:
            self._hidden.discard(change.id)
        self._open_day(change)
        self._console.print()
        self._console.print(_header(change))
        self._print_indented(Text(_place(change), style="dim"))
        self._print_indented(
            Text(on_the_day(change.card.headline, change.decided_at), style="strike" if struck else "bold")
        )
        if (meaning := _MEANINGS.get(change.change)) is not None:
            self._print_indented(Text(meaning, style="italic"))
        if change.cause:
            shown = {"Because": (_because(change),), **shown}
        if shown:
            self._print_indented(_grid(shown.items()))
        self._after_block = True

    def _new_priority(self, change: AlertChange) -> dict[str, tuple[str, ...]]:
        before = self._priorities.get(change.id, change.priority)
        return {"Priority": (f"was {before}",)} if before != change.priority else {}

    def _without_repeats(self, change: AlertChange, said: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """A card without what another one has said word for word; where that stands takes its place."""
        here = f"{clean(change.patient)} {show_time(change.decided_at)} {clean(change.subject)}"
        shown: dict[str, tuple[str, ...]] = {}
        elsewhere: dict[str, list[str]] = {}
        for label, lines in said.items():
            if label not in _SAID_ONCE:
                shown[label] = lines
                continue
            pieces = [(line,) for line in lines] if label in _SAID_BY_LINE else [lines]
            new = [piece for piece in pieces if self._said.setdefault((label, piece), here) == here]
            for place in dict.fromkeys(self._said[label, piece] for piece in pieces if piece not in new):
                elsewhere.setdefault(place, []).append(label)
            if new:
                shown[label] = tuple(line for piece in new for line in piece)
        if elsewhere:
            today = f"{change.decided_at:%Y-%m-%d} "
            places: dict[str, list[str]] = {}
            for place, labels in elsewhere.items():
                places.setdefault(", ".join(labels).lower(), []).append(place.replace(today, ""))
            shown["As before"] = tuple(f"{labels}: see {', '.join(found)}" for labels, found in places.items())
        return shown

    def _show_status(self, change: StatusChange) -> None:
        key = change.patient, change.pathway
        state = clean(" ".join(filter(None, (change.stage, "SUPPRESSED" if change.suppressed else change.state))))
        before = self._states.get(key)
        if before is None and change.state is State.NOT_APPLICABLE and not change.amends:
            return
        self._states[key] = state
        self._kept_back[key] = frozenset(t.therapy for t in change.therapies if t.advice is Advice.SUPPRESSED)
        words = [f"{change.pathway}: {' '.join(filter(None, (change.stage, change.verdict)))}"]
        details = []
        if change.soft and not change.suppressed:
            details.append(f"[caution: {', '.join(change.soft)}]")
        if change.therapies:
            details.append("- " + ", ".join(_advice(therapy, change.decided_at) for therapy in change.therapies))
        said = " ".join((*words, *details))
        if self._statuses.get(key) == said and not change.amends:
            return
        self._statuses[key] = said
        if before is not None and before != state:
            words.append(f"(was {before})")
        if change.effective_from != change.decided_at:
            words.append(f"since {show_time(change.effective_from, beside=change.decided_at)}")
        words += [*details, *(_amended(amendment, change) for amendment in change.amends)]
        if change.cause:
            words.append(f"because {name_identifiers(change.cause, catalogue.load())}")
        text = on_the_day(" ".join(words), change.decided_at)
        self._print_line("~" if change.amends else "-", change, text, "dim")

    def _show_rejection(self, change: Rejection) -> None:
        if (change.patient, change.reason) in self._refusals:
            return
        more = "" if self._refusals else "; for each patient, more of the same reason are only counted"
        self._refusals.add((change.patient, change.reason))
        place = f", {change.place}" if change.place else ""
        detail = plain(name_identifiers(change.detail, catalogue.load()))
        text = f"REFUSED {change.reason}: {detail} (event {change.event}{place}){more}"
        self._print_line("x", change, clean(text), "magenta")

    def _print_line(self, mark: str, change: Change, text: str, style: str) -> None:
        self._open_day(change)
        if self._after_block:
            self._console.print()
            self._after_block = False
        line = Table.grid(padding=(0, 2, 0, 0))
        line.add_column(width=_MARK_WIDTH - 2)
        line.add_column(no_wrap=True)
        line.add_column(no_wrap=True)
        line.add_column(overflow="fold")
        line.add_row(mark, Text(clean(change.patient)), _clock(change), Text(text), style=style)
        self._console.print(line)

    def _print_indented(self, what: Text | Table) -> None:
        self._console.print(Padding(what, (0, 0, 0, _MARK_WIDTH)))

    def _open_day(self, change: Change) -> None:
        """Say the date once, before the first change of a day."""
        day = change.decided_at.date()
        if day != self._day:
            if self._day is not None:
                self._console.print()
            self._console.print(Text(f"{day:%Y-%m-%d} (UTC)", style="bold"))
            self._day, self._after_block = day, False


def _amended(amendment: Amendment, change: StatusChange) -> str:
    start, end = (show_time(moment, beside=change.decided_at) for moment in (amendment.start, amendment.end))
    was = " ".join(filter(None, (amendment.was_stage, amendment.was)))
    now = " ".join(filter(None, (amendment.now_stage, amendment.now)))
    parts = [f"was {was}, is now {now}"] if was != now else []
    if amendment.suggested:
        parts.append(f"{', '.join(amendment.suggested)} should have been suggested")
    if amendment.not_suggested:
        parts.append(f"{', '.join(amendment.not_suggested)} should not have been suggested")
    return f"AMENDED {start} to {end}: {'; '.join(parts)}"


def legend() -> Text:
    """One line that explains the marks."""
    marks = [f"{symbol} {priority.lower()}" for priority, symbol in SYMBOLS.items()]
    return Text("  ".join([*marks, "- status", "~ amended status", "x refused"]), style="dim")


def _header(change: AlertChange) -> Text:
    style = _STYLES[change.priority]
    word = "NEW ALERT" if change.change is AlertChangeKind.RAISED else change.change.upper()
    header = Text()
    header.append(f"{SYMBOLS[change.priority]:<{_MARK_WIDTH}}{change.priority}", style=style)
    header.append(f"  {word}", style="bold reverse" if change.change in _STRUCK else "bold")
    header.append(f"  {clean(change.patient)}", style="bold")
    header.append(f"  {_clock(change)}")
    if change.priority.interrupts and not change.interrupts and change.change in _SPEAKS_UP:
        header.append(
            f"  silent{f': interruption waits, {clean(change.delayed)}' if change.delayed else ''}", style="dim"
        )
    return header


def _clock(change: Change) -> str:
    return show_time(change.decided_at, beside=change.decided_at)


def _place(change: AlertChange) -> str:
    place = clean(f"{change.pathway} / {change.stage} / {change.subject}")
    if change.effective_from == change.decided_at:
        return place
    return f"{place}, true since {show_time(change.effective_from, beside=change.decided_at)}"


def _because(change: AlertChange) -> str:
    """The cause of a change in words."""
    cause = change.cause or "no cause given"
    if cause.startswith("now ") and change.subject not in NOTICES:
        cause = f"no longer called for, {cause}"
    return on_the_day(_CAUSES.get(cause) or name_identifiers(cause, catalogue.load()), change.decided_at)


def _grounds(change: AlertChange) -> tuple[str, ...]:
    """The parts of a card that say why it was taken back."""
    cause = change.cause or ""
    if cause.startswith("fix first"):
        return (FIX_FIRST,)
    return (AGAINST,) if cause.startswith("contraindicated") else ()


def _advice(therapy: TherapyStatus, at: datetime) -> str:
    reasons = f"({', '.join(therapy.reasons)})" if therapy.reasons else ""
    return f"{therapy.therapy} {therapy.advice}{reasons}{_time_left(therapy, at)}"


def _time_left(therapy: TherapyStatus, at: datetime) -> str:
    """How long there is to decide on what is suggested."""
    window = therapy.window
    if window is None or therapy.advice not in (Advice.ELIGIBLE, Advice.CAUTION):
        return ""
    if window.state == "extended":
        return f" (no limit of time: {window.reason})"
    left = (window.decide_by - at) // timedelta(minutes=1) * MINUTE
    return f" (decide by {show_time(window.decide_by, beside=at)}, {format_duration(left)} left)"


def _grid(shown: Iterable[Part]) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=_LABEL_WIDTH, style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, lines in shown:
        for number, line in enumerate(arranged(label, lines)):
            grid.add_row("" if number else label, Text(line))
    return grid
