"""Changes as text for people: a block for each alert change, a line for each status change and first refusal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from monitor.terminal import clean, show_time
from rules.pathway import FIX_FIRST, OBTAIN_DATA, REFRACTORY
from rules.outputs import AlertChange, AlertChangeKind, Change, Priority, Rejection, State, StatusChange

SYMBOLS: Final = {Priority.HIGH: "!!!", Priority.MEDIUM: "!!", Priority.LOW: "!", Priority.INFORMATION: "i"}
"""The marks that IEC 60601-1-8 uses on equipment, so that a priority never depends on colour."""

_STYLES: Final = {
    Priority.HIGH: "bold red",
    Priority.MEDIUM: "bold dark_orange3",
    Priority.LOW: "bold cyan",
    Priority.INFORMATION: "bold",
}
_WORDS: Final = {
    AlertChangeKind.RAISED: "NEW ALERT",
    AlertChangeKind.UPDATED: "UPDATED",
    AlertChangeKind.AMENDED: "AMENDED",
    AlertChangeKind.WITHDRAWN: "WITHDRAWN",
    AlertChangeKind.RESOLVED: "RESOLVED",
    AlertChangeKind.SUPPRESSED: "SUPPRESSED",
    AlertChangeKind.REOPENED: "REOPENED",
    AlertChangeKind.ACKNOWLEDGED: "ACKNOWLEDGED",
    AlertChangeKind.ACCEPTED: "ACCEPTED",
    AlertChangeKind.DECLINED: "DECLINED",
    AlertChangeKind.SNOOZED: "SNOOZED",
}
_MEANINGS: Final = {
    AlertChangeKind.UPDATED: "Only the parts that changed are shown.",
    AlertChangeKind.AMENDED: "Late or corrected data changed this alert. Do not act on what it said before.",
    AlertChangeKind.WITHDRAWN: "Taken back. Do not act on what it said.",
    AlertChangeKind.SUPPRESSED: "Not shown at the bedside; recorded with its cause.",
}
_SHOWN_WHOLE: Final = frozenset({AlertChangeKind.RAISED, AlertChangeKind.AMENDED, AlertChangeKind.REOPENED})
_STRUCK: Final = frozenset({AlertChangeKind.WITHDRAWN, AlertChangeKind.SUPPRESSED})
_NOTICES: Final = frozenset({REFRACTORY, FIX_FIRST, OBTAIN_DATA})
_FOOTER: Final = "Data quality"
_NONE_FOUND: Final = "no contraindication found in the data received"
_NONE_MISSING: Final = "nothing that the rule asks for"
_RESERVATIONS: Final = frozenset({"Fix first", "Against it", "Not known"})
_MARK_WIDTH: Final = 4
_LABEL_WIDTH: Final = 15

Part = tuple[str, tuple[str, ...]]


class Renderer:
    """Prints changes in the order given; remembers what it has shown, to show only what is new."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._cards: dict[str, dict[str, tuple[str, ...]]] = {}
        self._states: dict[tuple[str, str], str] = {}
        self._refusals: set[tuple[str, str]] = set()
        self._after_block = False

    def show(self, change: Change) -> None:
        """Print one change, if it says something new."""
        match change:
            case AlertChange():
                self._show_alert(change)
            case StatusChange():
                self._show_status(change)
            case Rejection():
                self._show_rejection(change)

    def _show_alert(self, change: AlertChange) -> None:
        parts = dict(_parts(change))
        before = self._cards.get(change.id, {})
        self._cards[change.id] = parts
        if change.change in _SHOWN_WHOLE:
            shown = parts
        elif change.change is AlertChangeKind.UPDATED:
            shown = dict(_news(before, parts))
        else:
            shown = {}
        struck = change.change in _STRUCK
        self._console.print()
        self._console.print(_header(change))
        self._print_indented(Text(_place(change), style="dim"))
        self._print_indented(Text(clean(change.card.headline), style="strike" if struck else "bold"))
        if (meaning := _MEANINGS.get(change.change)) is not None:
            self._print_indented(Text(meaning, style="italic"))
        if change.cause:
            shown = {"Because": (clean(change.cause),), **shown}
        if shown:
            self._print_indented(_grid(shown.items()))
        self._after_block = True

    def _show_status(self, change: StatusChange) -> None:
        key = change.patient, change.pathway
        state = clean(" ".join(filter(None, (change.stage, "SUPPRESSED" if change.suppressed else change.state))))
        before = self._states.get(key)
        if before is None and change.state is State.NOT_APPLICABLE and not change.amends:
            return
        self._states[key] = state
        words = [f"{clean(change.pathway)}: {clean(' '.join(filter(None, (change.stage, change.verdict))))}"]
        if before is not None and before != state:
            words.append(f"(was {before})")
        if change.effective_from != change.decided_at:
            words.append(f"since {show_time(change.effective_from, beside=change.decided_at)}")
        if change.soft:
            words.append(f"[caution: {clean(', '.join(change.soft))}]")
        if change.therapies:
            words.append("- " + ", ".join(f"{clean(therapy.therapy)} {therapy.advice}" for therapy in change.therapies))
        for amendment in change.amends:
            start, end = (show_time(moment, beside=change.decided_at) for moment in (amendment.start, amendment.end))
            was = " ".join(filter(None, (amendment.was_stage, amendment.was)))
            now = " ".join(filter(None, (amendment.now_stage, amendment.now)))
            words.append(f"AMENDED {start} to {end}: was {clean(was)}, is now {clean(now)}")
        if change.cause:
            words.append(f"because {clean(change.cause)}")
        self._print_line("~" if change.amends else "-", change, " ".join(words), style="dim")

    def _show_rejection(self, change: Rejection) -> None:
        if (change.patient, change.reason) in self._refusals:
            return
        more = "" if self._refusals else "; for each patient, more of the same reason are only counted"
        self._refusals.add((change.patient, change.reason))
        place = f", {change.place}" if change.place else ""
        text = f"REFUSED {change.reason}: {change.detail} (event {change.event}{place}){more}"
        self._print_line("x", change, clean(text), style="magenta")

    def _print_line(self, mark: str, change: StatusChange | Rejection, text: str, style: str) -> None:
        if self._after_block:
            self._console.print()
            self._after_block = False
        line = Table.grid(padding=(0, 2, 0, 0))
        line.add_column(width=_MARK_WIDTH - 2)
        line.add_column(no_wrap=True)
        line.add_column(no_wrap=True)
        line.add_column(overflow="fold")
        line.add_row(mark, Text(clean(change.patient)), show_time(change.decided_at), Text(text), style=style)
        self._console.print(line)

    def _print_indented(self, what: Text | Table) -> None:
        self._console.print(Padding(what, (0, 0, 0, _MARK_WIDTH)))


def legend() -> Text:
    """One line that explains the marks."""
    marks = [f"{symbol} {priority.lower()}" for priority, symbol in SYMBOLS.items()]
    return Text("  ".join([*marks, "- status", "~ amended status", "x refused data", "(UTC)"]), style="dim")


def _header(change: AlertChange) -> Text:
    style = _STYLES[change.priority]
    header = Text()
    header.append(f"{SYMBOLS[change.priority]:<{_MARK_WIDTH}}{change.priority}", style=style)
    header.append(f"  {_WORDS[change.change]}", style="bold reverse" if change.change in _STRUCK else "bold")
    header.append(f"  {clean(change.patient)}", style="bold")
    header.append(f"  {show_time(change.decided_at)}")
    if change.priority.interrupts and not change.interrupts:
        header.append("  silent", style="dim")
    return header


def _place(change: AlertChange) -> str:
    place = clean(f"{change.pathway} / {change.stage} / {change.subject}")
    if change.effective_from == change.decided_at:
        return place
    return f"{place}, true since {show_time(change.effective_from, beside=change.decided_at)}"


def _parts(change: AlertChange) -> Iterator[Part]:
    """The parts of the card that say something, in the order of the alert text contract."""
    card = change.card
    texts: tuple[tuple[str, Iterable[str]], ...] = (
        ("Findings", _findings(change)),
        ("Fix first", card.fix_first),
        ("Suggestion", (card.suggestion,)),
        ("Evidence", card.evidence),
        ("Against it", card.contraindications or _nothing(change, _NONE_FOUND)),
        ("Not known", card.not_known or _nothing(change, _NONE_MISSING)),
        ("Window", (card.window or "",)),
        ("Goals of care", (card.goals_of_care,)),
        (_FOOTER, card.data_quality),
        ("Answers", (" / ".join(card.answers),)),
        ("Rule", (card.rule,)),
    )
    for label, lines in texts:
        if said := tuple(clean(line) for line in lines if line):
            yield label, said


def _news(before: Mapping[str, tuple[str, ...]], after: Mapping[str, tuple[str, ...]]) -> Iterator[Part]:
    """What a card says now and did not say before, and which of its reservations are gone."""
    for label in dict.fromkeys((*after, *before)):
        was, now = before.get(label, ()), after.get(label, ())
        news = [line for line in now if line not in was]
        if label in _RESERVATIONS:
            news += [f"no longer: {line}" for line in was if line not in (*now, _NONE_FOUND, _NONE_MISSING)]
        if news:
            yield label, tuple(news)


def _nothing(change: AlertChange, text: str) -> tuple[str, ...]:
    """Said only of a therapy: a notice has no contraindications to look for."""
    return () if change.subject in _NOTICES else (text,)


def _findings(change: AlertChange) -> Iterator[str]:
    """One line for each value; measures with the same value at the same time share it."""
    lines: dict[str, list[str]] = {}
    for finding in change.card.findings:
        when = f" ({show_time(finding.at, beside=change.decided_at)})" if finding.at else ""
        measures = lines.setdefault(f"{finding.text}{when}", [])
        measure = finding.measure.replace("_", " ")
        if measure not in measures:
            measures.append(measure)
    for value, measures in lines.items():
        yield f"{', '.join(measures)}: {value}"


def _grid(parts: Iterable[Part]) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=_LABEL_WIDTH, style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, texts in parts:
        lines = ("; ".join(texts),) if label == _FOOTER else texts
        for number, line in enumerate(lines):
            grid.add_row("" if number else label, Text(line))
    return grid
