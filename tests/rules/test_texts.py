"""The texts of a pack: numbers come from its parameters, no template reaches a screen, nothing gives an order."""

import pytest

from rules import catalogue
from rules.pack import Pack
from rules.packs import PackError, parse_pack, with_overrides
from rules.packs.numbers import said_with_numbers
from rules.packs.review import review
from rules.packs.texts import texts, without_values
from rules.pathway import Pathway
from rules.settings import SiteSettings
from rules.wording import placeholders
from tests.rules.strategies import MINI_PACK, packs
from tests.rules.test_review import CLEAN


def mini(old: str, new: str) -> Pack:
    assert old in MINI_PACK
    return parse_pack("mini", MINI_PACK.replace(old, new, 1))


@pytest.mark.parametrize("pack", packs(), ids=lambda pack: pack.id)
def test_no_text_of_a_pathway_asks_for_a_parameter_any_more(pack: Pack) -> None:
    said = Pathway(pack, SiteSettings(), catalogue.load()).pack
    left = [text for text in texts(said) if placeholders(text.words)]
    assert {text.field for text in left} <= {"suggestion", "elsewhere", "words"}
    assert not [text for text in left for name in placeholders(text.words) if name in pack.parameters]
    assert said.digest == pack.digest


@pytest.mark.parametrize("pack", packs(), ids=lambda pack: pack.id)
def test_what_lists_show_has_no_template(pack: Pack) -> None:
    assert not [words for words in said_with_numbers(pack).words.values() if "{" in without_values(words)]


def test_a_local_value_is_in_titles_labels_and_texts() -> None:
    pack = mini("title: g,", "title: 'lactate above {lactate_high}',")
    local = with_overrides(pack, SiteSettings(overrides={pack.id: {"lactate_high": 3.5}}))
    filled = said_with_numbers(local)
    assert filled.check("gap").title == "lactate above 3.5 mmol/L"
    assert filled.digest == local.digest != pack.digest


def test_numbers_by_age_and_durations_are_said_in_words() -> None:
    pack = mini("fix: f,", "fix: 'Within {hours_4}, below {map_target}.',")
    assert said_with_numbers(pack).check("gap").fix == "Within 4 h, below 65 mmHg, 60 from 65 years."


@pytest.mark.parametrize("asked", ["{lactate}", "{nothing}"])
def test_a_title_cannot_ask_for_a_measure(asked: str) -> None:
    with pytest.raises(PackError, match=asked.strip("{}")):
        mini("title: h,", f"title: 'too much of {asked}',")


@pytest.mark.parametrize(
    ("title", "number"),
    [
        ("MAP below 65 mmHg", "65"),
        ("fraction of at least 0.8", "0.8"),
        ("score of at most -2", "-2"),
        ("ventilated for 7 days", "7"),
        ("3 shocks failed", "3"),
    ],
)
def test_a_bare_number_in_a_title_is_a_fault(title: str, number: str) -> None:
    text = CLEAN.replace("title: h,", f"title: '{title}',", 1)
    (fault,) = review(text).faults
    assert fault.path == "checks.hint.title"
    assert f"({number})" in fault.reason


@pytest.mark.parametrize("title", ["COVID-19", "type 1 diabetes", "remark of 2021", "PaO2", "VV-ECMO", "SOFA-2"])
def test_a_name_with_a_number_is_none(title: str) -> None:
    text = CLEAN.replace("title: h,", f"title: '{title}',", 1)
    assert review(text).faults == ()


def test_an_order_is_a_warning() -> None:
    text = CLEAN.replace("fix: f,", "fix: 'Start the pump again.',", 1)
    found = review(text)
    assert found.faults == ()
    (warning,) = found.warnings
    assert "'Start' is an order" in warning.reason
    assert warning.line is not None
