"""Doses of benzodiazepines and second-line antiseizure drugs against the least that counts as adequate.

Only what was given counts, and of an infusion only one that was completed, from its end. The numbers are the pack's
parameters; this is what they mean.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from rules import seizures
from rules.facts import Flow, Given
from rules.instants import DAY, HOUR, MINUTE, clock_time
from rules.logic import Finding
from rules.timeline import Fact
from rules.values import Value, number

if TYPE_CHECKING:
    from rules.view import View


class Row(NamedTuple):
    """What is adequate of one drug by some routes.

    That is ``per_kg`` (a parameter) up to ``cap``; without ``per_kg`` the amount ``cap``, or ``light`` up to the body
    weight ``light_weight``.
    """

    drug: str
    routes: tuple[str, ...]
    per_kg: str | None = None
    cap: str | None = None
    light: str | None = None
    light_weight: str | None = None


_IV: Final = ("iv", "io")
FIRST_LINE: Final = (
    Row("lorazepam", _IV, "lorazepam_per_kg", "lorazepam_cap"),
    Row("midazolam", ("im",), None, "midazolam_im", "midazolam_im_light", "midazolam_light_weight"),
    Row("midazolam", _IV, None, "midazolam_iv"),
    Row("midazolam", ("buccal", "nasal"), None, "midazolam_mucosal"),
    Row("diazepam", _IV, "diazepam_per_kg", "diazepam_cap"),
    Row("diazepam", ("rectal",), "diazepam_rectal_per_kg", "diazepam_rectal_cap"),
    Row("phenobarbital", _IV, "phenobarbital_per_kg"),
)
SECOND_LINE: Final = (
    Row("levetiracetam", _IV, "levetiracetam_per_kg", "levetiracetam_cap"),
    Row("fosphenytoin", _IV, "fosphenytoin_per_kg", "fosphenytoin_cap"),
    Row("phenytoin", _IV, "phenytoin_per_kg", "phenytoin_cap"),
    Row("valproate", _IV, "valproate_per_kg", "valproate_cap"),
    Row("phenobarbital", _IV, "phenobarbital_per_kg"),
    Row("lacosamide", _IV, "lacosamide_per_kg", "lacosamide_cap"),
)
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


class Course(NamedTuple):
    """A dose, or doses that count together, of one drug: its end, how much, the target, and the share of it."""

    drug: str
    end: int
    given: Value
    target: Value
    share: Value
    event: str
    discounted: bool = False


class Part(NamedTuple):
    """One dose or completed infusion; ``per_kg`` where it was given per kilogram of an unknown weight."""

    at: int
    amount: Value
    event: str
    per_kg: float | None = None


def first_line(view: View) -> list[Course]:
    """Benzodiazepine doses of the episode: each alone, and pairs of sizeable ones given close together."""
    return view.once("first_line", _first_line)


def _first_line(view: View) -> list[Course]:
    apart, least = view.duration("first_line_cumulative"), view.number("borderline_share")
    found: list[Course] = []
    for row in FIRST_LINE:
        parts = _doses(view, row)
        times = [part.at for part in parts]
        sizeable = [_share(view, row, (part,)).low >= least for part in parts]
        sized: list[int] = []
        pairs: list[Course] = []
        for index, part in enumerate(parts):
            if not _is_first_line(view, row, part):
                continue
            found.append(_course(view, row, (part,)))
            if not sizeable[index]:
                continue
            close = bisect_left(sized, part.at - apart)
            if close < len(sized):
                window = range(bisect_left(times, sized[close]), bisect_right(times, part.at))
                pairs.append(_course(view, row, tuple(parts[place] for place in window if sizeable[place])))
            sized.append(part.at)
        found += pairs
    return sorted(found, key=lambda course: (course.end, course.share.low))


def second_line(view: View) -> list[Course]:
    """Second-line drugs of the episode: at each end of a dose, what was given of that drug within the hour before it.

    Valproate is discounted while a carbapenem takes its level away.
    """
    return view.once("second_line", _second_line)


def _second_line(view: View) -> list[Course]:
    together = view.duration("second_line_cumulative")
    found: list[Course] = []
    for row in SECOND_LINE:
        parts = [part for part in (*_doses(view, row), *_runs(view, row)) if not _is_first_line(view, row, part)]
        parts.sort()
        times = [part.at for part in parts]
        for part in parts:
            counted = parts[bisect_left(times, part.at - together) : bisect_right(times, part.at)]
            course = _course(view, row, tuple(counted))
            found.append(course._replace(discounted=row.drug == "valproate" and bool(carbapenem(view, course.end))))
    return sorted(found, key=lambda course: (course.end, course.share.low))


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


def treated_from(view: View) -> int | None:
    """From when on what was given counts as given against the seizures of the episode.

    That is a little before their charted onset: whoever charts the onset on arrival has often treated before it.
    """
    onset = seizures.episode_onset(view)
    return None if onset is None else onset - view.duration("before_onset")


def home_valproate(view: View) -> int | None:
    """When a patient who takes valproate was last known to have some of it, or None."""
    begin = view.at - view.duration("home_drug_window")
    doses = [f.at for f in view.timeline.upto("dose:valproate", view.at) if f.value.status == "given" and f.at >= begin]
    level, drawn = view.value("valproate_level"), view.timeline.latest("signal:valproate_level", view.at)
    if level.known and level.low > 0 and drawn is not None:
        doses.append(drawn.at)
    if view.running("valproate"):
        doses.append(view.at)
    return max(doses, default=None)


def missed(view: View) -> Finding | None:
    """A home antiseizure drug that was not given: recorded so, or given again and again and then no more."""
    doses = sorted(
        (fact.at, drug, fact.event)
        for drug in LASTING
        for fact in view.timeline.upto(f"dose:{drug}", view.at)
        if fact.value.status == "given"
    )
    flagged, fact = view.coded("home_asm_missed")
    if flagged == "present" and fact is not None and not (doses and doses[-1][0] > fact.at):
        return Finding("home_asm_missed", "recorded", fact.at, fact.event)
    begin = treated_from(view)
    if begin is None or not doses:
        return None
    last, drug, event = doses[-1]
    due = last + view.duration("home_drug_missed_after")
    view.note(due)
    usual = [at for at, _, _ in doses if begin - view.duration("home_drug_look_back") <= at < begin]
    if last >= begin or view.at < due or len(usual) < _USUAL or any(view.running(name) for name in LASTING):
        return None
    return Finding("home_asm_missed", f"{drug} last given {clock_time(last)}", last, event)


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
        doses = [f for f in view.timeline.upto(f"dose:{row.drug}", view.at) if f.at >= begin and _routed(row, f)]
        for fact in doses:
            given: Given = fact.value
            if given.status == "given" and not given.completed:
                found.append(Finding(row.drug, f"{words} not completed at {clock_time(fact.at)}", fact.at, fact.event))
        found += _not_given(view, words, doses)
        flow = view.timeline.latest(f"infusion:{row.drug}", view.at)
        if flow is not None and flow.at >= begin:
            stuck = flow.value.action == "pause" or flow.value.alarm in ("occlusion", "extravasation")
            if stuck:
                why = flow.value.alarm or "paused"
                found.append(Finding(row.drug, f"{words} infusion: {why}", flow.at, flow.event))
    return tuple(found)


def _not_given(view: View, words: str, doses: list[Fact]) -> Iterator[Finding]:
    limit = view.duration("order_limit")
    for fact in doses:
        if fact.value.status == "given" or any(d.at >= fact.at and d.value.status == "given" for d in doses):
            continue
        due = fact.at + limit
        view.note(due)
        if view.at >= due or fact.value.status in ("held", "refused"):
            yield Finding(
                "order", f"{words} {fact.value.status} at {clock_time(fact.at)}, not given", fact.at, fact.event
            )


def _course(view: View, row: Row, parts: tuple[Part, ...]) -> Course:
    amounts = [part.amount for part in parts]
    missing = tuple(dict.fromkeys(item for amount in amounts for item in amount.missing))
    given = Value(round(sum(a.low for a in amounts), 6), round(sum(a.high for a in amounts), 6), missing)
    return Course(row.drug, parts[-1].at, given, _target(view, row), _share(view, row, parts), parts[-1].event)


def _target(view: View, row: Row) -> Value:
    """What would be adequate; between bounds while the weight is not known."""
    weight = view.value("weight")
    cap = view.number(row.cap) if row.cap else inf
    if row.per_kg is not None:
        if weight.high == inf:
            return Value(0.0, cap, ("weight",))
        low, high = (min(view.number(row.per_kg) * bound, cap) for bound in (weight.low, weight.high))
        return Value(low, high, weight.missing if low < high else ())
    if row.light is None or row.light_weight is None:
        return Value(cap, cap)
    light = view.number(row.light)
    if weight.high == inf:
        return Value(light, cap, ("weight",))
    low, high = (cap if bound > view.number(row.light_weight) else light for bound in (weight.low, weight.high))
    return Value(low, high, weight.missing if low < high else ())


def _share(view: View, row: Row, parts: tuple[Part, ...]) -> Value:
    """How much of the target was given."""
    target = _target(view, row)
    low = sum(part.amount.low for part in parts) / target.high if target.high < inf else 0.0
    if row.per_kg is not None and not view.value("weight").known:
        low = max(low, sum(part.per_kg or 0.0 for part in parts) / view.number(row.per_kg))
    most = sum(part.amount.high for part in parts)
    high = most / target.low if target.low else inf
    missing = (*(m for part in parts for m in part.amount.missing), *target.missing)
    return Value(round(low, 6), round(high, 6) if high < inf else inf, tuple(dict.fromkeys(missing)))


def _doses(view: View, row: Row) -> list[Part]:
    """Completed doses of the episode."""
    begin = treated_from(view)
    found = []
    for fact in view.timeline.upto(f"dose:{row.drug}", view.at):
        given: Given = fact.value
        if begin is None or fact.at < begin or given.status != "given" or not given.completed or not _routed(row, fact):
            continue
        per_kg = given.amount if given.weight_power else None
        found.append(Part(fact.at, view.amount(given), fact.event, per_kg))
    return found


def _runs(view: View, row: Row) -> Iterator[Part]:
    """Loads by pump that were stopped at their end, as the integral of the rate."""
    begin = treated_from(view)
    facts = view.timeline.upto(f"infusion:{row.drug}", view.at)
    if begin is None or not facts:
        return
    steps = view.rate(row.drug)
    per = MINUTE if (view.catalogue.drug(row.drug).rate_unit or "").endswith("/min") else HOUR
    started: int | None = None
    for fact in facts:
        flow: Flow = fact.value
        if flow.action == "start" and started is None:
            started = fact.at
        if flow.action != "stop" or started is None:
            continue
        if started >= begin:
            bounds = [(started, steps.value(started)), *((s.at, Value(s.low, s.high, s.missing)) for s in steps.steps)]
            inside = [(at, value) for at, value in bounds if started <= at < fact.at]
            ends = [at for at, _ in inside[1:]] + [fact.at]
            low = sum(v.low * (end - at) / per for (at, v), end in zip(inside, ends, strict=True))
            high = sum(
                (v.high * (end - at) / per if end > at else 0) for (at, v), end in zip(inside, ends, strict=True)
            )
            missing = tuple(dict.fromkeys(item for _, value in inside for item in value.missing))
            yield Part(fact.at, Value(round(low, 6), round(high, 6), missing), fact.event)
        started = None


def _routed(row: Row, fact: Fact) -> bool:
    return fact.value.route in row.routes


def _is_first_line(view: View, row: Row, part: Part) -> bool:
    """Whether a dose belongs to the first line: phenobarbital only where no benzodiazepine was tried before it."""
    if row.drug != "phenobarbital":
        return row in FIRST_LINE
    begin = part.at - DAY
    tried = (f for name in ("lorazepam", "midazolam", "diazepam") for f in view.timeline.upto(f"dose:{name}", part.at))
    return not any(f.value.status == "given" and f.at >= begin for f in tried)


def _unit(unit: str) -> str:
    return unit.replace("mg{PE}", "mg PE")


def attempts(view: View) -> list[int]:
    """When second-line treatment was tried, adequate or not: ends of doses, broken-off ones, orders long overdue."""
    tried = [course.end for course in second_line(view)]
    late = view.duration("order_limit")
    return sorted(
        [*tried, *(f.at + (late if f.measure == "order" else 0) for f in incomplete(view) if f.at is not None)]
    )
