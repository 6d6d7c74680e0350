"""Benzodiazepines and second-line antiseizure drugs: what was given, what is wanting, and what is taken at home."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from rules import seizures
from rules.instants import FOREVER, TICK, clock_time
from rules.loading import FIRST_LINE, SECOND_LINE, Course, Row, completed, followed, routed, treated_from, was_given
from rules.logic import Finding
from rules.timeline import Fact
from rules.values import number

if TYPE_CHECKING:
    from rules.view import View


CARBAPENEMS: Final = ("meropenem", "ertapenem", "doripenem", "imipenem", "meropenem_vaborbactam")
LASTING: Final = (
    "levetiracetam",
    "brivaracetam",
    "fosphenytoin",
    "phenytoin",
    "valproate",
    "phenobarbital",
    "lacosamide",
    "carbamazepine",
    "topiramate",
    "zonisamide",
)
"""Antiseizure drugs that are taken every day."""
_USUAL: Final = 2
"""So many doses before the seizure show that a drug is taken."""
_DRUGS: Final = tuple(dict.fromkeys((*(row.drug for row in (*FIRST_LINE, *SECOND_LINE)), *LASTING)))
READS: Final = (
    *seizures.READS,
    "state:asm_incomplete",
    "state:home_asm_missed",
    "signal:valproate_level",
    *(f"{kind}:{drug}" for drug in (*_DRUGS, *CARBAPENEMS) for kind in ("dose", "infusion")),
)
OF_DOSES: Final = (
    "first_line_cumulative",
    "second_line_cumulative",
    "order_limit",
    "carbapenem_window",
    "before_onset",
    "home_drug_window",
    "home_drug_missed_after",
    "home_drug_look_back",
)
PARAMETERS: Final = (
    *seizures.PARAMETERS,
    *dict.fromkeys(
        name
        for row in (*FIRST_LINE, *SECOND_LINE)
        for name in (row.per_kg, row.cap, row.light, row.light_weight)
        if name is not None
    ),
    "adequate_share",
    "borderline_share",
    *OF_DOSES,
)


_AT: Final = attrgetter("at")


def _order(course: Course) -> tuple[int, float]:
    return course.end, course.share.low


def first_line(view: View) -> list[Course]:
    """Benzodiazepine doses of the episode: each alone, and pairs of sizeable ones given close together."""
    return view.once("first_line", _first_line)


def _first_line(view: View) -> list[Course]:
    found = [course for row in FIRST_LINE for course in followed(view, row, None)]
    return sorted(found, key=_order)


def second_line(view: View) -> list[Course]:
    """Second-line drugs of the episode: at each end of a dose, what was given of that drug within the hour before it.

    Valproate is discounted while a carbapenem takes its level away.
    """
    return view.once("second_line", _second_line)


def _second_line(view: View) -> list[Course]:
    found: list[Course] = []
    for row in SECOND_LINE:
        courses = followed(view, row, tuple(completed(view, row)))
        if row.drug == "valproate" and courses:
            newest = _newest_carbapenem(view) + view.duration("carbapenem_window")
            courses = [course._replace(discounted=course.end <= newest) for course in courses]
        found += courses
    return sorted(found, key=_order)


def adequate(view: View, courses: list[Course]) -> Course | None:
    """The first that is known to be adequate."""
    limit = view.number("adequate_share")
    return next((c for c in courses if not c.discounted and c.share.low >= limit), None)


def perhaps_adequate(view: View, courses: list[Course]) -> tuple[str, ...]:
    """What would have to be known to call one adequate; nothing where none can be."""
    limit = view.number("adequate_share")
    doubtful = [c for c in courses if not c.discounted and c.share.low < limit <= c.share.high]
    return tuple(dict.fromkeys(item for course in doubtful for item in course.share.missing))


def best(courses: list[Course]) -> Course | None:
    """The one nearest to its target, of those that count."""
    counted = [course for course in courses if not course.discounted]
    return max(counted, key=lambda course: (course.share.low, course.end), default=None)


def in_words(view: View, course: Course) -> Finding:
    """The dose against its target."""
    share = course.share
    drug = course.drug.replace("_", " ")
    unit = view.catalogue.drug(course.drug).dose_unit or "mg"
    if not share.known:
        text = f"{drug} {course.given.text(unit)}, target not known ({', '.join(share.missing)})"
    else:
        low = share.low < view.number("adequate_share")
        grade = "" if not low else ", borderline" if share.low >= view.number("borderline_share") else ", inadequate"
        percent = number(round(share.low * 100))
        of = f"{number(course.given.low)} of {number(round(course.target.low, 1))} {_unit(unit)}"
        text = f"{drug} {of} ({percent} %{grade})"
    return Finding(course.drug, text, course.end, course.event)


def gap_in_words(view: View, course: Course) -> str:
    """What is missing to the target."""
    gap = round(course.target.low - course.given.low, 1)
    unit = _unit(view.catalogue.drug(course.drug).dose_unit or "mg")
    return f"{number(gap)} {unit} {course.drug.replace('_', ' ')}"


def carbapenem(view: View, end: int) -> tuple[Finding, ...]:
    """A carbapenem given shortly before a dose of valproate or since."""
    begin = end - view.duration("carbapenem_window")
    found = []
    for name in CARBAPENEMS:
        doses = [f for f in view.timeline.upto(f"dose:{name}", view.at) if f.value.status == "given" and f.at >= begin]
        rates = [f for f in view.timeline.upto(f"infusion:{name}", view.at) if f.value.rate and f.at >= begin]
        running = name in view.running(name)
        for fact in (*doses[:1], *rates[:1]):
            words = f"{name.replace('_', ' ')} given, valproate not counted"
            found.append(Finding("carbapenem", words, fact.at, fact.event))
        if running and not rates:
            found.append(Finding("carbapenem", f"{name.replace('_', ' ')} running, valproate not counted", view.at))
    return tuple(found)


def _newest_carbapenem(view: View) -> int:
    """When one was last given, or is being given; before every instant where none was."""
    newest = -FOREVER
    for name in CARBAPENEMS:
        doses, rates = (reversed(view.timeline.upto(f"{kind}:{name}", view.at)) for kind in ("dose", "infusion"))
        newest = max(newest, next((fact.at for fact in doses if fact.value.status == "given"), newest))
        newest = max(newest, next((fact.at for fact in rates if fact.value.rate), newest))
        if view.running(name):
            newest = FOREVER
    return newest


def home_valproate(view: View) -> int | None:
    """When a patient who takes valproate was last known to have some of it, or None."""
    window = view.duration("home_drug_window")
    given = (f.at for f in view.timeline.upto("dose:valproate", view.at) if f.value.status == "given")
    doses = [at for at in given if at >= view.at - window]
    view.note(max(doses) + window + TICK if doses else None)
    level, drawn = view.value("valproate_level"), view.timeline.latest("signal:valproate_level", view.at)
    if level.known and level.low > 0 and drawn is not None:
        doses.append(drawn.at)
    if view.running("valproate"):
        doses.append(view.at)
    return max(doses, default=None)


def missed(view: View) -> Finding | None:
    """A home antiseizure drug that was not given: recorded so, or given again and again and then no more."""
    given = [(fact.at, drug, fact.event) for drug in LASTING for fact in _newest_given(view, drug)]
    flagged, fact = view.coded("home_asm_missed")
    if flagged == "present" and fact is not None and not (given and max(given)[0] > fact.at):
        return Finding("home_asm_missed", "recorded", fact.at, fact.event)
    begin = treated_from(view)
    if begin is None or not given:
        return None
    last, drug, event = max(given)
    due = last + view.duration("home_drug_missed_after")
    view.note(due)
    if last >= begin or view.at < due or not _usual(view, begin) or any(view.running(name) for name in LASTING):
        return None
    return Finding("home_asm_missed", f"{drug} last given {clock_time(last)}", last, event)


def _newest_given(view: View, drug: str) -> Iterator[Fact]:
    """The dose of a drug that was given last, if any was."""
    doses = (fact for fact in reversed(view.timeline.upto(f"dose:{drug}", view.at)) if fact.value.status == "given")
    return islice(doses, 1)


def _usual(view: View, begin: int) -> bool:
    """Whether doses before the seizures show that antiseizure drugs are taken."""
    known = 0
    for drug in LASTING:
        facts = view.timeline.upto(f"dose:{drug}", begin - TICK)
        taken = facts[bisect_left(facts, begin - view.duration("home_drug_look_back"), key=_AT) :]
        known += sum(fact.value.status == "given" for fact in taken)
    return known >= _USUAL


def incomplete(view: View) -> tuple[Finding, ...]:
    """Second-line drugs that were broken off, paused, lost, or ordered and not given."""
    begin = treated_from(view)
    if begin is None:
        return ()
    found = []
    flagged, fact = view.coded("asm_incomplete")
    if flagged == "present" and fact is not None and fact.at >= begin:
        found.append(Finding("asm_incomplete", "recorded as not finished, paused or extravasated", fact.at, fact.event))
    for row in SECOND_LINE:
        words = row.drug.replace("_", " ")
        known = _unfinished(view, row.drug)
        known = known[bisect_left(known, begin, key=_AT) : bisect_right(known, view.at, key=_AT)]
        doses = [fact for fact in known if routed(row, fact)]
        found += (
            Finding(row.drug, f"{words} not completed at {clock_time(fact.at)}", fact.at, fact.event)
            for fact in doses
            if fact.value.status == "given"
        )
        found += _not_given(view, row, words, [fact for fact in doses if fact.value.status != "given"])
        flow = view.timeline.latest(f"infusion:{row.drug}", view.at)
        if flow is not None and flow.at >= begin:
            stuck = flow.value.action == "pause" or flow.value.alarm in ("occlusion", "extravasation")
            if stuck:
                why = flow.value.alarm or "paused"
                found.append(Finding(row.drug, f"{words} infusion: {why}", flow.at, flow.event))
    return tuple(found)


def _unfinished(view: View, drug: str) -> list[Fact]:
    """The doses of a drug that were not given, or not completely, also those to come."""
    channel = f"dose:{drug}"
    facts = view.timeline.facts(channel)

    def extend(found: list[Fact], since: int) -> list[Fact]:
        del found[bisect_left(found, since, key=_AT) :]
        new = facts[bisect_left(facts, since, key=_AT) :]
        found += (fact for fact in new if fact.value.status != "given" or not fact.value.completed)
        return found

    return view.timeline.memo(("unfinished", drug), (channel,), list[Fact], extend)


def _not_given(view: View, row: Row, words: str, doses: list[Fact]) -> Iterator[Finding]:
    if not doses:
        return
    given = (fact.at for fact in reversed(view.timeline.upto(f"dose:{row.drug}", view.at)) if was_given(row, fact))
    newest, limit = next(given, -FOREVER), view.duration("order_limit")
    for fact in doses:
        if newest >= fact.at:
            continue
        due = fact.at + limit
        view.note(due)
        if view.at >= due or fact.value.status in ("held", "refused"):
            yield Finding(
                "order", f"{words} {fact.value.status} at {clock_time(fact.at)}, not given", fact.at, fact.event
            )


def _unit(unit: str) -> str:
    return unit.replace("mg{PE}", "mg PE")


def attempts(view: View) -> list[int]:
    """When second-line treatment was tried, adequate or not: ends of doses, broken-off ones, orders long overdue."""
    tried = [course.end for course in second_line(view)]
    late = view.duration("order_limit")
    return sorted(
        [*tried, *(f.at + (late if f.measure == "order" else 0) for f in incomplete(view) if f.at is not None)]
    )
