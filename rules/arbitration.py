"""What several suggestions want, of one pathway or of several, is suggested once, by the one that presses most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rules.outputs import Advice
from rules.pack import Pack
from rules.pathway import Counsel, Verdict

MERGED: Final = "merged"
"""Why a therapy is kept back that another pathway suggests already."""


def arbitrate(packs: Sequence[Pack], verdicts: Sequence[Verdict | None]) -> list[Verdict | None]:
    """The verdicts as they are announced.

    Of suggestions that share a ``merge`` name the most urgent stays, of equally urgent ones that of the first pack. It
    names the others, and these are suppressed.
    """
    wanting: dict[str, list[tuple[int, Counsel]]] = {}
    for index, (pack, verdict) in enumerate(zip(packs, verdicts, strict=True)):
        for counsel in verdict.counsel if verdict is not None else ():
            group = pack.merged.get(counsel.therapy)
            if group is not None and counsel.advice in (Advice.ELIGIBLE, Advice.CAUTION):
                wanting.setdefault(group, []).append((index, counsel))
    announced = list(verdicts)
    for candidates in wanting.values():
        if len(candidates) == 1:
            continue
        first = max(candidates, key=lambda candidate: candidate[1].priority.urgency)
        others = [candidate for candidate in candidates if candidate is not first]
        also = tuple(_named(packs[index], other.therapy, beside=index == first[0]) for index, other in others)
        announced = _replaced(announced, first, first[1]._replace(also=also))
        for other in others:
            kept_back = other[1]._replace(advice=Advice.SUPPRESSED, reasons=(MERGED,))
            announced = _replaced(announced, other, kept_back)
    return announced


def _named(pack: Pack, therapy: str, *, beside: bool) -> str:
    """A therapy, with its pathway unless that is the one ``beside`` which it is named, or its title names it."""
    title = pack.therapy(therapy).title
    return title if beside or pack.title in title else f"{title} ({pack.title})"


def _replaced(verdicts: list[Verdict | None], place: tuple[int, Counsel], counsel: Counsel) -> list[Verdict | None]:
    index, before = place
    verdict = verdicts[index]
    if verdict is None:
        return verdicts
    changed = verdict._replace(counsel=tuple(counsel if found is before else found for found in verdict.counsel))
    return [*verdicts[:index], changed, *verdicts[index + 1 :]]
