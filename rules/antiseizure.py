"""Doses of benzodiazepines and second-line antiseizure drugs against the least that counts as adequate.

Only what was given counts, and of an infusion only one that was completed, from its end. The numbers are the pack's
parameters; this is what they mean.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import islice
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from rules import seizures
from rules.facts import Flow, Given
from rules.instants import DAY, FOREVER, HOUR, MINUTE, TICK, clock_time
from rules.logic import Finding
from rules.portions import Portions, bounds
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
_BENZODIAZEPINES: Final = ("lorazepam", "midazolam", "diazepam")
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
_END: Final = attrgetter("end")


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


def _order(course: Course) -> tuple[int, float]:
    return course.end, course.share.low


def first_line(view: View) -> list[Course]:
    """Benzodiazepine doses of the episode: each alone, and pairs of sizeable ones given close together."""
    return view.once("first_line", _first_line)


def _first_line(view: View) -> list[Course]:
    found = [course for row in FIRST_LINE for course in _followed(view, row, None)]
    return sorted(found, key=_order)


def second_line(view: View) -> list[Course]:
    """Second-line drugs of the episode: at each end of a dose, what was given of that drug within the hour before it.

    Valproate is discounted while a carbapenem takes its level away.
    """
    return view.once("second_line", _second_line)


def _second_line(view: View) -> list[Course]:
    found: list[Course] = []
    for row in SECOND_LINE:
        courses = _followed(view, row, tuple(_runs(view, row)))
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
        doses = [fact for fact in known if _routed(row, fact)]
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
    given = (fact.at for fact in reversed(view.timeline.upto(f"dose:{row.drug}", view.at)) if _given(row, fact))
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


class _Together:
    """Parts that may count together, with what was given per kilogram of a weight that is not known."""

    __slots__ = ("amounts", "per_kg")

    def __init__(self) -> None:
        self.amounts = Portions()
        self.per_kg = Portions()

    def cut(self, since: int) -> None:
        self.amounts.cut(since)
        self.per_kg.cut(since)

    def add(self, part: Part) -> None:
        self.amounts.add(part.at, part.amount)
        self.per_kg.add(part.at, Value(part.per_kg or 0.0, 0.0))

    def sum(self, part: Part, back: int) -> Part:
        """What was given up to a part, and at most so long before it."""
        lasts = back + TICK
        missing = self.amounts.missing(part.at, lasts)
        amount = Value(*bounds(self.amounts.sum(part.at, lasts)), tuple(dict.fromkeys(missing)))
        per_kg, _ = bounds(self.per_kg.sum(part.at, lasts))
        return part._replace(amount=amount, per_kg=per_kg)


class _Benzodiazepines:
    """Doses of a drug by some routes as a first line: each alone, and pairs of sizeable ones given close together."""

    __slots__ = ("_courses", "_row", "_sizeable", "_sized")

    def __init__(self, row: Row) -> None:
        self._row = row
        self._courses: list[Course] = []
        self._sizeable = _Together()
        self._sized: list[int] = []
        """When sizeable ones of the first line were given."""

    def upto(self, at: int) -> list[Course]:
        """Those that ended by an instant."""
        return self._courses[: bisect_right(self._courses, at, key=_END)]

    def follow(self, view: View, since: int) -> _Benzodiazepines:
        """Take in the doses from an instant on; before it they are as they were."""
        del self._courses[bisect_left(self._courses, since, key=_END) :]
        del self._sized[bisect_left(self._sized, since) :]
        self._sizeable.cut(since)
        parts = [*_doses(view, self._row, since)]
        apart, least = view.duration("first_line_cumulative"), view.number("borderline_share")
        alone = [_course(view, self._row, part) for part in parts]
        for part, course in zip(parts, alone, strict=True):
            if course.share.low >= least:
                self._sizeable.add(part)
        for part, course in zip(parts, alone, strict=True):
            if not _is_first_line(view, self._row, part):
                continue
            self._courses.append(course)
            if course.share.low < least:
                continue
            close = bisect_left(self._sized, part.at - apart)
            if close < len(self._sized):
                together = self._sizeable.sum(part, part.at - self._sized[close])
                self._courses.append(_course(view, self._row, together))
            self._sized.append(part.at)
        return self


class _Loads:
    """Doses and completed runs of a drug as a second line: at each end, what was given within the time before it."""

    __slots__ = ("_courses", "_given", "_row", "_runs")

    def __init__(self, row: Row, runs: tuple[Part, ...]) -> None:
        self._row = row
        self._runs = runs
        self._courses: list[Course] = []
        self._given = _Together()

    def upto(self, at: int) -> list[Course]:
        """Those that ended by an instant."""
        return self._courses[: bisect_right(self._courses, at, key=_END)]

    def follow(self, view: View, since: int) -> _Loads:
        """Take in the doses and runs from an instant on; before it they are as they were."""
        del self._courses[bisect_left(self._courses, since, key=_END) :]
        self._given.cut(since)
        runs = (part for part in self._runs if part.at >= since)
        known = [*_doses(view, self._row, since), *runs]
        parts = sorted(part for part in known if not _is_first_line(view, self._row, part))
        for part in parts:
            self._given.add(part)
        together = view.duration("second_line_cumulative")
        self._courses += (_course(view, self._row, self._given.sum(part, together)) for part in parts)
        return self


def _followed(view: View, row: Row, runs: tuple[Part, ...] | None) -> list[Course]:
    """What was given of a drug in the episode up to now: as a first line, or with ``runs`` as a second."""
    begin, channel = treated_from(view), f"dose:{row.drug}"
    if not view.timeline.facts(channel) and not runs:
        return []
    numbers = [view.number(name) for name in (*row[2:], "borderline_share") if name is not None]
    numbers += [view.duration(name) for name in ("first_line_cumulative", "second_line_cumulative")]
    key = ("given", row, runs, begin, view.value("weight")[:3], *numbers)
    tried = _BENZODIAZEPINES if row.drug == "phenobarbital" else ()
    channels = (channel, *(f"dose:{drug}" for drug in tried))

    def build() -> _Benzodiazepines | _Loads:
        return _Benzodiazepines(row) if runs is None else _Loads(row, runs)

    def extend(known: _Benzodiazepines | _Loads, since: int) -> _Benzodiazepines | _Loads:
        return known.follow(view, since)

    return view.timeline.memo(key, channels, build, extend).upto(view.at)


def _course(view: View, row: Row, part: Part) -> Course:
    """What a part, or several together, are against the target."""
    target, amount = _target(view, row), part.amount
    low = amount.low / target.high if target.high < inf else 0.0
    if row.per_kg is not None and not view.value("weight").known:
        low = max(low, (part.per_kg or 0.0) / view.number(row.per_kg))
    high = amount.high / target.low if target.low else inf
    missing = tuple(dict.fromkeys((*amount.missing, *target.missing)))
    share = Value(round(low, 6), round(high, 6) if high < inf else inf, missing)
    given = Value(round(amount.low, 6), round(amount.high, 6), tuple(dict.fromkeys(amount.missing)))
    return Course(row.drug, part.at, given, target, share, part.event)


def _doses(view: View, row: Row, since: int) -> Iterator[Part]:
    """Completed doses of the episode from an instant on, also those to come."""
    begin, facts = treated_from(view), view.timeline.facts(f"dose:{row.drug}")
    if begin is None:
        return
    for fact in facts[bisect_left(facts, max(begin, since), key=_AT) :]:
        given: Given = fact.value
        if given.completed and _given(row, fact):
            yield Part(fact.at, view.amount(given), fact.event, given.amount if given.weight_power else None)


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


def _given(row: Row, fact: Fact) -> bool:
    return fact.value.status == "given" and _routed(row, fact)


def _routed(row: Row, fact: Fact) -> bool:
    return fact.value.route in row.routes


def _is_first_line(view: View, row: Row, part: Part) -> bool:
    """Whether a dose belongs to the first line: phenobarbital only where no benzodiazepine was tried before it."""
    if row.drug != "phenobarbital":
        return row in FIRST_LINE
    begin = part.at - DAY
    tried = (f for name in _BENZODIAZEPINES for f in view.timeline.upto(f"dose:{name}", part.at))
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
