"""The parts of a card as lines of text, in the order of the alert text contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from monitor.terminal import clean, show_time
from rules.outputs import AlertChange, Evidence
from rules.pathway import NOTICES

FINDINGS: Final = "Findings"
FIX_FIRST: Final = "Fix first"
EVIDENCE: Final = "Evidence"
AGAINST: Final = "Against it"
NOT_KNOWN: Final = "Not known"
DATA_QUALITY: Final = "Data quality"
RULE: Final = "Rule"

_NONE_FOUND: Final = "no contraindication found in the data received"
_NONE_MISSING: Final = "nothing that the rule asks for"
_RESERVATIONS: Final = frozenset({FIX_FIRST, AGAINST, NOT_KNOWN})
_UNCHECKED: Final = " not checked: "

Part = tuple[str, tuple[str, ...]]


def parts(change: AlertChange) -> Iterator[Part]:
    """The parts that say something; the answers are left out, since a terminal has no buttons."""
    card, moment = change.card, change.decided_at
    texts: tuple[tuple[str, Iterable[str]], ...] = (
        (FINDINGS, _findings(card.findings, moment)),
        (FIX_FIRST, card.fix_first),
        ("Suggestion", (card.suggestion,)),
        (EVIDENCE, card.evidence),
        (AGAINST, card.contraindications or _nothing(change, _NONE_FOUND)),
        (NOT_KNOWN, card.not_known or _nothing(change, _NONE_MISSING)),
        ("Window", (card.window or "",)),
        ("Goals of care", (card.goals_of_care,)),
        (DATA_QUALITY, card.data_quality),
        (RULE, (card.rule,)),
    )
    for label, lines in texts:
        if said := tuple(on_the_day(line, moment) for line in lines if line):
            yield label, said


def news(before: Mapping[str, tuple[str, ...]], after: Mapping[str, tuple[str, ...]]) -> Iterator[Part]:
    """What a card says now and did not say before, and which of its reservations are gone."""
    for label in dict.fromkeys((*after, *before)):
        was, now = before.get(label, ()), after.get(label, ())
        new = [line for line in now if line not in was]
        if label in _RESERVATIONS:
            new += [f"no longer: {line}" for line in was if line not in (*now, _NONE_FOUND, _NONE_MISSING)]
        if new:
            yield label, tuple(new)


def arranged(label: str, lines: tuple[str, ...]) -> Iterator[str]:
    """The lines of a part as they are printed: what is of one kind stands together."""
    if label == DATA_QUALITY:
        yield "; ".join(lines)
        return
    unchecked: dict[str, list[str]] = {}
    for line in lines:
        kind, found, what = line.partition(_UNCHECKED)
        if label == NOT_KNOWN and found:
            unchecked.setdefault(kind, []).append(what)
        else:
            yield line
    for kind, items in unchecked.items():
        yield f"{kind}{'s' if len(items) > 1 else ''}{_UNCHECKED}{'; '.join(items)}"


def on_the_day(text: str, moment: datetime) -> str:
    """Text that is safe to print, without the date where it is that of ``moment``."""
    return clean(text).replace(f"{moment:%Y-%m-%d} ", "")


def _nothing(change: AlertChange, text: str) -> tuple[str, ...]:
    """Said only of a therapy: a notice has no contraindications to look for."""
    return () if change.subject in NOTICES else (text,)


def _findings(findings: Iterable[Evidence], moment: datetime) -> Iterator[str]:
    """A line for each measure with its values, the first one first; formulas that give the same share a line."""
    values: dict[str, list[str]] = {}
    for finding in findings:
        when = f" ({show_time(finding.at, beside=moment)})" if finding.at else ""
        title = finding.title or finding.measure.replace("_", " ")
        values.setdefault(title, []).append(f"{finding.text}{when}")
    lines: dict[tuple[str, str], list[str]] = {}
    for title, found in values.items():
        head, bracket, variant = title.partition(" (")
        lines.setdefault((head, ", ".join(found)), []).append(variant.removesuffix(")") if bracket else "")
    for (head, text), variants in lines.items():
        named = ", ".join(filter(None, variants))
        yield f"{head} ({named}): {text}" if named else f"{head}: {text}"
