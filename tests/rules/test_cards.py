"""What every alert card owes its reader, on cards of scenarios of every kind: state, doubts, evidence, no orders."""

import re
from functools import cache
from pathlib import Path

import pytest

from rules.conditions import Present
from rules.events import Event
from rules.outputs import Advice, AlertChange, AlertChangeKind, Card, State
from rules.packs import load_packs
from rules.testing import Run, load_scenario
from tests.rules.strategies import alerts, in_order, make, moment, play, readings, septic

pytestmark = pytest.mark.xdist_group("cards")  # the scenarios are played once

SEPTIC_SHOCK = Path(__file__).parents[1] / "scenarios" / "septic_shock"
SHOWING = (
    "sep-v1",
    "sep-v3-salt-unset",
    "sep-v4",
    "sep-v5",
    "sep-v7",
    "sep-v10-goals",
    "goals-not-recorded",
    "override-requirement",
    "two-flags-at-once",
    "vasopressin-limb-ischaemia",
)
SCENARIOS = [*(SEPTIC_SHOCK / f"{name}.scenario.yaml" for name in SHOWING), *sorted(SEPTIC_SHOCK.iterdir())[::9]]
PACK = septic()
THERAPIES = {therapy.id: therapy for therapy in PACK.therapies}
OPEN = {AlertChangeKind.RAISED, AlertChangeKind.REOPENED, AlertChangeKind.AMENDED, AlertChangeKind.UPDATED}

ORDER = re.compile(
    r"(?:^|[.;:!] )(?:Give|Start|Stop|Administer|Increase|Decrease|Add|Order|Begin|Infuse|Push|Call|Cannulate|Initiate"
    r"|Titrate|Bolus|Prescribe|Transfuse|Raise|Lower|Wean|You must|You should)\b"
)
CITED = re.compile(r" \[.+; (?:source read|secondary source only|not checked against a source|local setting)\]$")
IDENTIFIER = re.compile(r"\b[a-z0-9]+_[a-z0-9_]+\b")


@cache
def changes() -> tuple[AlertChange, ...]:
    """Every alert change of the scenarios in septic shock."""
    found: list[AlertChange] = []
    packs = load_packs()
    for path in SCENARIOS:
        found += [change for change in alerts(Run(load_scenario(path), packs).changes) if change.pathway == PACK.id]
    return tuple(found)


def texts(card: Card) -> list[str]:
    """Everything on a card that people read."""
    return [
        card.headline,
        *(finding.text for finding in card.findings),
        *card.fix_first,
        card.suggestion,
        *card.evidence,
        *card.contraindications,
        *card.not_known,
        card.window or "",
        card.goals_of_care,
        card.rule,
        *card.answers,
        *card.data_quality,
    ]


def named(change: AlertChange) -> str:
    return f"{change.subject} {change.change} at {change.decided_at}: {change.card.model_dump_json(indent=1)}"


def test_the_scenarios_show_every_kind_of_card() -> None:
    subjects = {change.subject for change in changes() if change.change in OPEN}
    assert subjects >= {*THERAPIES, "refractory", "fix_first", "obtain_data"}


def test_a_card_has_all_ten_parts() -> None:
    for change in changes():
        card = change.card
        assert card.headline, named(change)
        assert card.findings, named(change)
        assert card.suggestion or change.change not in OPEN, named(change)
        assert card.evidence, named(change)
        assert card.goals_of_care, named(change)
        assert card.answers, named(change)
        assert card.data_quality, named(change)
        assert PACK.id in card.rule
        assert PACK.version in card.rule
        assert change.pack.digest in card.rule


def test_every_number_has_its_time() -> None:
    for change in changes():
        for finding in change.card.findings:
            assert finding.text, named(change)
            assert finding.event is None or finding.at is not None, named(change)
            assert finding.at is None or finding.at <= change.decided_at, named(change)
        measured = [finding for finding in change.card.findings if finding.at is not None]
        assert measured, named(change)


def test_a_suggestion_says_consider_or_discuss_and_never_orders() -> None:
    for change in changes():
        card = change.card
        if change.change in OPEN:
            assert re.search(r"\b(consider|discuss|judged again)", card.suggestion, re.IGNORECASE), named(change)
        for text in (card.headline, card.suggestion, *card.fix_first):
            assert not ORDER.search(text), text


def test_a_dose_names_its_source_and_asks_for_confirmation() -> None:
    for change in changes():
        if re.search(r"\d ?(?:mg|U/min)\b", change.card.suggestion) and change.subject in THERAPIES:
            assert "Verify the dose locally" in change.card.suggestion
            assert re.search(r"\[.+?\]|label|guideline", change.card.suggestion)


def test_every_statement_of_evidence_is_cited_with_its_strength() -> None:
    for change in changes():
        assert all(CITED.search(line) for line in change.card.evidence), named(change)


@pytest.mark.parametrize(
    ("subject", "negative"),
    [
        ("vasopressin", ("p = 0.26", "24 trials")),
        ("hydrocortisone", ("27.9 against 28.8 %", "p = 0.50")),
        ("va_ecmo", ("no randomised trial", "no recommendation")),
        ("refractory", ("24 trials", "unvalidated")),
    ],
)
def test_negative_and_missing_trials_are_stated(subject: str, negative: tuple[str, ...]) -> None:
    cards = [change.card for change in changes() if change.subject == subject]
    assert cards
    for card in cards:
        assert all(words in " ".join(card.evidence) for words in negative)


def test_what_must_be_fixed_first_is_on_the_card() -> None:
    for change in changes():
        if change.subject == "fix_first" and change.verdict.startswith("PSEUDO") and change.change in OPEN:
            reasons = change.verdict.removeprefix("PSEUDO(").removesuffix(")").split(", ")
            for reason in reasons:
                title = PACK.check(reason).title
                assert any(line.startswith(title) for line in change.card.fix_first), named(change)
                assert title in change.card.headline


def test_a_caution_names_its_reasons_first_and_among_the_contraindications() -> None:
    cautions = [change for change in changes() if change.verdict.startswith(Advice.CAUTION) and change.change in OPEN]
    assert cautions
    for change in cautions:
        assert change.card.suggestion.startswith("Caution: "), named(change)
        reasons = change.verdict.removeprefix("CAUTION(").removesuffix(")").split(", ")
        titles = {reason.id: reason.title for reason in THERAPIES[change.subject].relative}
        for reason in reasons:
            assert titles[reason] in change.card.suggestion
            assert any(
                line.startswith(titles[reason]) and "(relative" in line for line in change.card.contraindications
            )


def shock(*more: Event, hours: int = 6) -> list[Event]:
    """A patient in septic shock of whom nobody has recorded any contraindication."""
    return in_order(
        [
            make("encounter", 0, weight_kg=80, age_years=62, conditions=[{"code": "suspected_infection"}]),
            make("fluid", 1, fluid="crystalloid", volume=2400, unit="mL"),
            make("observations", 2, readings=readings(lactate=(5, "mmol/L"))),
            *(
                make("infusion", 5 + 30 * number, drug="norepinephrine", action="rate", rate=0.6, unit="ug/kg/min")
                for number in range(hours * 2)
            ),
            *(
                make("observations", 5.2 + minute, readings=readings(map_invasive=(55, "mm[Hg]")))
                for minute in range(60)
            ),
            *more,
        ]
    )


@pytest.mark.parametrize("therapy", ["vasopressin", "hydrocortisone"])
def test_contraindications_that_nobody_has_looked_for_are_named_as_not_known(therapy: str) -> None:
    raised = next(change for change in alerts(play(shock(), until=moment(60))) if change.subject == therapy)
    unknown = " ".join(raised.card.not_known)
    for reason in THERAPIES[therapy].relative:
        if isinstance(reason.when, Present) and reason.when.if_missing == "unknown":
            assert reason.title in unknown
            assert reason.title not in " ".join(raised.card.contraindications)


def test_a_contraindication_that_was_ruled_out_is_on_no_list() -> None:
    ruled_out = make("encounter", 3, conditions=[{"code": "mesenteric_ischaemia", "presence": "absent"}])
    raised = next(c for c in alerts(play(shock(ruled_out), until=moment(60))) if c.subject == "vasopressin")
    assert "mesenteric ischaemia" not in " ".join((*raised.card.not_known, *raised.card.contraindications))


def test_a_card_that_cannot_tell_names_what_is_missing() -> None:
    for change in changes():
        if change.verdict.startswith(State.INDETERMINATE) and change.change in OPEN:
            assert change.card.not_known or "cannot be called yet: " in change.card.headline, named(change)


def test_goals_of_care_are_always_stated() -> None:
    stated = {change.card.goals_of_care for change in changes()}
    assert "goals of care not recorded" in stated
    assert "full treatment" in stated
    assert {words for words in stated if "; in a former stay" not in words} <= {
        "goals of care not recorded",
        "goals of care not known",
        "full treatment",
        "no escalation of treatment",
        "do not attempt resuscitation",
        "comfort care",
    }


def test_the_window_of_mechanical_support_is_stated() -> None:
    for change in changes():
        if change.subject == "va_ecmo":
            assert change.card.window, named(change)
            assert "no hard limit" in change.card.window


def test_the_answers_are_running_done_decline_with_a_reason_not_applicable_and_snooze() -> None:
    for change in changes():
        answers = change.card.answers
        for answer in ("running", "done", "not applicable", "snooze"):
            assert any(given.endswith(answer) for given in answers), named(change)
        assert any(answer.startswith("decline: ") for answer in answers)
        if change.subject in THERAPIES:
            declines = {f"decline: {reason}" for reason in THERAPIES[change.subject].decline_reasons}
            assert declines <= set(answers)


def test_the_footer_names_the_formulas_and_the_local_settings() -> None:
    for change in changes():
        footer = " ".join(change.card.data_quality)
        assert "local settings, not from a guideline" in footer
        assert "Kotani" in footer
        assert "Goradia" in footer


def test_people_read_words_not_identifiers() -> None:
    for change in changes():
        found = {match for text in texts(change.card) for match in IDENTIFIER.findall(text)}
        assert not found, (found, named(change))


def test_an_overridden_number_is_named_on_the_card() -> None:
    overridden = [c for c in changes() if "is set locally" in " ".join(c.card.data_quality) or "locally" in c.card.rule]
    assert overridden


def test_a_cause_of_withdrawal_is_in_words() -> None:
    for change in changes():
        if change.change in (AlertChangeKind.WITHDRAWN, AlertChangeKind.SUPPRESSED, AlertChangeKind.RESOLVED):
            assert change.cause


def test_an_unknown_capability_is_said_and_a_missing_one_turns_into_a_transfer() -> None:
    suggestions = [change.card.suggestion for change in changes() if change.subject == "va_ecmo"]
    assert any("not configured" in text for text in suggestions) or any("transfer" in text for text in suggestions)


def test_a_card_of_stale_data_says_how_old_they_are() -> None:
    last = [change for change in alerts(play(shock(), until=moment(350))) if change.subject == "obtain_data"][-1]
    assert any("lactate" in item and "08:02" in item for item in last.card.not_known)
