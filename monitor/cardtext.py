"""The parts of a card as lines of text, in the order of the alert text contract."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from monitor.terminal import clean, show_time
from rules.bulkhead import NOT_WATCHED
from rules.outputs import AlertChange, Evidence
from rules.pathway import FIX_FIRST as FIX_FIRST_NOTICE
from rules.pathway import NOTICES

FINDINGS: Final = "Findings"
FIX_FIRST: Final = "Fix first"
SUGGESTION: Final = "Suggestion"
EVIDENCE: Final = "Evidence"
AGAINST: Final = "Against it"
NOT_KNOWN: Final = "Not known"
WINDOW: Final = "Window"
GOALS: Final = "Goals of care"
DATA_QUALITY: Final = "Data quality"
RULE: Final = "Rule"

ORDER: Final = (
    FINDINGS,
    FIX_FIRST,
    SUGGESTION,
    EVIDENCE,
    AGAINST,
    NOT_KNOWN,
    WINDOW,
    GOALS,
    DATA_QUALITY,
    RULE,
)
"""The parts of a card in the order of the alert text contract."""

_NONE_FOUND: Final = "no contraindication found in the data received"
_NONE_MISSING: Final = "nothing that the rule asks for"
_RESERVATIONS: Final = frozenset({FIX_FIRST, AGAINST, NOT_KNOWN})
_UNCHECKED: Final = " not checked: "
_DETAIL: Final = re.compile(r" \(|\. ")

Part = tuple[str, tuple[str, ...]]


def parts(change: AlertChange) -> Iterator[Part]:
    """The parts that say something; the answers are left out, since a terminal has no buttons."""
    card, moment = change.card, change.decided_at
    texts: tuple[tuple[str, Iterable[str]], ...] = (
        (FINDINGS, _findings(card.findings, moment)),
        (FIX_FIRST, card.fix_first),
        (SUGGESTION, (_suggestion(change),)),
        (EVIDENCE, card.evidence),
        (AGAINST, card.contraindications or _nothing(change, _NONE_FOUND)),
        (NOT_KNOWN, card.not_known or _nothing(change, _NONE_MISSING)),
        (WINDOW, (card.window or "",)),
        (GOALS, (card.goals_of_care,)),
        (DATA_QUALITY, card.data_quality),
        (RULE, (card.rule,)),
    )
    for label, lines in texts:
        if said := tuple(on_the_day(line, moment) for line in lines if line):
            yield label, said


def _suggestion(change: AlertChange) -> str:
    """What a card suggests; nothing where it only repeats what is to be fixed first."""
    rest = change.card.suggestion
    if change.subject == FIX_FIRST_NOTICE:
        for line in change.card.fix_first:
            rest = rest.replace(line.partition(". ")[2] or line, "")
    return change.card.suggestion if rest.strip() else ""


def news(before: Mapping[str, tuple[str, ...]], after: Mapping[str, tuple[str, ...]]) -> Iterator[Part]:
    """What a card says now and did not say before, and which of its reservations are gone."""
    for label in (label for label in ORDER if label in after or label in before):
        was, now = before.get(label, ()), after.get(label, ())
        new = [line for line in now if line not in was]
        if label in _RESERVATIONS:
            kept = {_head(line) for line in (*now, _NONE_FOUND, _NONE_MISSING)}
            new += [f"no longer: {head}" for head in dict.fromkeys(map(_head, was)) if head not in kept]
        if new:
            yield label, tuple(new)


def _head(line: str) -> str:
    """What a reservation is about, without its present values and without what to do."""
    return _DETAIL.split(line, maxsplit=1)[0]


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
    return () if change.subject in (*NOTICES, NOT_WATCHED) else (text,)


def _findings(findings: Iterable[Evidence], moment: datetime) -> Iterator[str]:
    """A line for each measure with its values, the newest first; formulas that give the same share a line."""
    values: dict[str, list[Evidence]] = {}
    said: set[tuple[str, datetime | None]] = set()
    for finding in findings:
        title = finding.title or finding.measure.replace("_", " ")
        if (finding.text, finding.at) in said and finding.text.startswith(title):
            continue
        said.add((finding.text, finding.at))
        values.setdefault(title, []).append(finding)
    lines: dict[tuple[str, str], list[str]] = {}
    for title, found in values.items():
        head, bracket, variant = title.partition(" (")
        newest_first = sorted(_told_once(found), key=lambda finding: finding.at or moment, reverse=True)
        text = ", ".join(dict.fromkeys(_with_time(finding, moment) for finding in newest_first))
        lines.setdefault((head, text), []).append(variant.removesuffix(")") if bracket else "")
    for (head, text), variants in lines.items():
        named = ", ".join(filter(None, variants))
        yield f"{head} ({named}): {text}" if named else f"{head}: {text}"


def _told_once(findings: Sequence[Evidence]) -> Iterator[Evidence]:
    """The findings on one measure without those that another one repeats and says more of."""
    for finding in findings:
        same_time = (o.text for o in findings if o.at == finding.at)
        repeated = any(text.startswith(f"{finding.text};") for text in same_time)
        if not repeated and not any(o.text.endswith(f" {finding.text}") for o in findings):
            yield finding


def _with_time(finding: Evidence, moment: datetime) -> str:
    if finding.at is None:
        return finding.text
    when = show_time(finding.at, beside=moment)
    if when in finding.text:
        return finding.text
    return f"{finding.text[:-1]}, {when})" if finding.text.endswith(")") else f"{finding.text} ({when})"
