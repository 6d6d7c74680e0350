"""Site settings: nothing has a clinical default, and a wrong file says where and why."""

from datetime import timedelta
from pathlib import Path

import pytest

from rules.engine import PatientEngine
from rules.packs import PackError, load_packs, parse_pack, with_overrides
from rules.packs.numbers import said_with_numbers
from rules.settings import SettingsError, SiteSettings
from tests.rules.strategies import MINI_PACK, septic

PACK = septic()


def load(folder: Path, text: str) -> SiteSettings:
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return SiteSettings.from_file(path)


def test_what_nobody_has_set_is_unknown() -> None:
    settings = SiteSettings()
    assert settings.norepinephrine_salt is None
    assert settings.capability.ecmo_va is None
    assert settings.overrides == {}


def test_a_file_is_read(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        "norepinephrine_salt: tartrate\nlateness: PT30S\ncapability: {ecmo_va: false, ecpr_lead_time: PT20M}\n"
        "overrides: {septic-shock: {lactate_high: 2.2, snooze: PT30M}}\n",
    )
    assert settings.norepinephrine_salt == "tartrate"
    assert settings.lateness == timedelta(seconds=30)
    assert settings.capability.ecmo_va is False
    assert settings.capability.ecpr_lead_time == timedelta(minutes=20)
    assert settings.overrides == {"septic-shock": {"lactate_high": 2.2, "snooze": "PT30M"}}


def test_an_empty_file_sets_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, "") == SiteSettings()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("norepinephrine_salt: sulphate", "norepinephrine_salt"),
        ("unknown_key: 1", "unknown_key"),
        ("capability: {ecmo: true}", "capability.ecmo"),
        ("lateness: -PT5S", "lateness"),
        ("lateness: PT11M", "lateness"),
        ("future_skew: PT2H", "future_skew"),
        ("strict_fluid: perhaps", "strict_fluid"),
        ("overrides: {septic-shock: 3}", "overrides.septic-shock"),
        ("[1, 2]", "file"),
        ("just text", "file"),
        ("a: [", "not YAML"),
    ],
)
def test_a_wrong_file_names_itself_and_the_place(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert str(tmp_path / "site.yaml") in str(caught.value)
    assert place in str(caught.value)


def test_a_file_that_is_not_there_or_not_text_is_a_settings_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        SiteSettings.from_file(tmp_path / "absent.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00norepinephrine_salt")
    with pytest.raises(SettingsError, match=r"bytes\.yaml"):
        SiteSettings.from_file(tmp_path / "bytes.yaml")


def test_settings_do_not_change_once_made() -> None:
    with pytest.raises(ValueError, match="frozen"):
        SiteSettings().strict_fluid = True  # type: ignore[misc]


class TestOverrides:
    def test_a_local_value_replaces_the_packs_and_is_marked(self) -> None:
        local = with_overrides(PACK, SiteSettings(overrides={"septic-shock": {"lactate_high": 2.5, "snooze": "PT30M"}}))
        assert local.parameters["lactate_high"].number == 2.5
        assert local.parameters["lactate_high"].overridden
        assert local.parameters["lactate_high"].source == PACK.parameters["lactate_high"].source
        assert local.parameters["snooze"].milliseconds == 30 * 60 * 1000
        assert not PACK.parameters["lactate_high"].overridden

    def test_a_local_value_replaces_all_ages(self) -> None:
        local = with_overrides(PACK, SiteSettings(overrides={"septic-shock": {"map_target": 70.0}}))
        assert local.parameters["map_target"].number == 70
        assert not local.parameters["map_target"].by_age

    def test_overridden_rules_have_another_digest(self) -> None:
        assert PACK.digest == septic().digest
        local = with_overrides(PACK, SiteSettings(overrides={"septic-shock": {"lactate_high": 2.5}}))
        other = with_overrides(PACK, SiteSettings(overrides={"septic-shock": {"lactate_high": 2.6}}))
        assert len({PACK.digest, local.digest, other.digest}) == 3

    def test_overrides_of_another_pack_change_nothing(self) -> None:
        assert with_overrides(PACK, SiteSettings(overrides={"ards": {"lactate_high": 9.0}})) == PACK

    @pytest.mark.parametrize(
        ("name", "value", "reason"),
        [
            ("no_such", 1.0, "no such parameter"),
            ("snooze", 60.0, "duration"),
            ("lactate_high", "PT1H", "mmol/L"),
            ("snooze", "an hour", "ISO 8601"),
        ],
    )
    def test_a_wrong_override_names_the_parameter_and_the_reason(
        self, name: str, value: float | str, reason: str
    ) -> None:
        settings = SiteSettings(overrides={"septic-shock": {name: value}})
        for attempt in (lambda: with_overrides(PACK, settings), lambda: PatientEngine("p", [PACK], settings)):
            with pytest.raises(SettingsError) as caught:
                attempt()
            assert f"overrides.septic-shock.{name}" in str(caught.value)
            assert reason in str(caught.value)


def test_texts_say_the_numbers_of_the_site() -> None:
    """A number in a title, a check or a suggestion is that of its parameter, and the pack is the same by its digest."""
    ards = next(pack for pack in load_packs() if pack.id == "ards")
    local = with_overrides(ards, SiteSettings(overrides={"ards": {"pplat_limit": 25.0, "steroid_window": "P10D"}}))
    said = said_with_numbers(local)
    assert "at most 25 cmH2O" in said.check("pplat_high").fix
    assert "within 10 d of onset" in said.therapy("ards_corticosteroid").suggestion
    assert "at most 30 cmH2O" in said_with_numbers(ards).check("pplat_high").fix
    assert said.digest == local.digest
    assert [text for text in said.model_dump_json().split('"') if "{" in text and "}" in text and " " in text] == [
        text for text in said.words.values() if "{" in text
    ]


def test_a_text_that_names_no_parameter_is_refused() -> None:
    text = MINI_PACK.replace("relapse:", "endings: [{title: 'after {no_such}', when: {use: high}}]\nrelapse:")
    with pytest.raises(PackError, match="no parameter 'no_such'"):
        parse_pack("mini.yaml", text)
