"""The commands about rule packs: check, test, explain, show, schema."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from monitor import cli
from monitor.options import FAULTS
from rules.packs import BUNDLED, load_packs
from rules.testing import SUFFIX
from streams.logfile import write_log
from tests.rules.strategies import MINI_PACK, make, readings
from tests.rules.test_review import CLEAN

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "monitor/demo/ward.jsonl"
SCENARIO = """
title: A raised lactate
source: made up
pathway: mini
events:
  - {at: 08:00, encounter: {age_years: 50}}
  - {at: 08:00, assessment: {examination: echo}}
  - {at: 08:01, observe: {lactate: 4 mmol/L}}
expect:
  - {at: 08:02, verdict: PSEUDO(gap)}
"""
Printed = pytest.CaptureFixture[str]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    path = tmp_path / "mini.yaml"
    path.write_text(MINI_PACK, encoding="utf-8")
    return path


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    folder = tmp_path / "courses"
    folder.mkdir()
    path = folder / f"raised{SUFFIX}"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


class TestCheck:
    def test_the_bundled_packs_are_clean(self, capsys: Printed) -> None:
        assert cli.main(["rules", "check"]) == cli.OK
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == len(BUNDLED)
        (line,) = [line for line in lines if line.startswith("ok: septic_shock.yaml: Septic shock, ")]
        assert line.endswith("6 stages, 12 checks, 3 therapies")

    def test_a_clean_file_is_counted(self, tmp_path: Path, capsys: Printed) -> None:
        path = tmp_path / "mine.yaml"
        path.write_text(CLEAN, encoding="utf-8")
        assert cli.main(["rules", "check", str(path)]) == cli.OK
        said = "9 parameters (8 local settings), 2 stages, 2 checks, 1 therapy"
        assert capsys.readouterr().out == f"ok: {path}: A small pack for tests, {said}\n"

    def test_a_fault_is_named_with_file_line_place_and_reason(self, pack: Path, capsys: Printed) -> None:
        pack.write_text(CLEAN.replace("unit: mmol/L", "unit: mg/dL"), encoding="utf-8")
        assert cli.main(["rules", "check", str(pack)]) == FAULTS
        line = next(n for n, text in enumerate(CLEAN.splitlines(), start=1) if text.startswith("  high:"))
        reason = "parameter 'lactate_high' is in mg/dL, lactate is in mmol/L; write 0.222 mmol/L"
        assert capsys.readouterr().out == f"{pack}:{line}: conditions.high: {reason}\n"

    def test_what_nothing_uses_fails_the_check_but_loads(self, pack: Path, capsys: Printed) -> None:
        assert cli.main(["rules", "check", str(pack)]) == FAULTS
        assert "parameters.fall: never used" in capsys.readouterr().out
        assert cli.main(["replay", str(DEMO), "--pack", str(pack), "--no-summary"]) == cli.OK

    def test_a_file_that_cannot_be_read_is_named_and_the_others_are_checked(
        self, tmp_path: Path, pack: Path, capsys: Printed
    ) -> None:
        binary = tmp_path / "bytes.yaml"
        binary.write_bytes(b"\xff\xfe\x00")
        pack.write_text(CLEAN, encoding="utf-8")
        code = cli.main(["rules", "check", str(tmp_path / "absent.yaml"), str(binary), str(pack)])
        out, err = capsys.readouterr()
        assert code == cli.UNREADABLE
        assert "absent.yaml: No such file" in err
        assert "bytes.yaml: not UTF-8 text" in err
        assert out.startswith(f"ok: {pack}")


class TestTest:
    def test_a_passing_scenario_is_only_counted(self, pack: Path, scenario: Path, capsys: Printed) -> None:
        assert cli.main(["rules", "test", str(scenario.parent), "--pack", str(pack)]) == cli.OK
        assert capsys.readouterr().out.startswith("1 scenario: 1 passed, 0 failed in ")
        assert cli.main(["rules", "test", "-v", str(scenario), "--pack", str(pack)]) == cli.OK
        assert capsys.readouterr().out.startswith(f"passed {scenario} (")

    def test_a_failing_scenario_is_one_line(self, pack: Path, scenario: Path, capsys: Printed) -> None:
        scenario.write_text(SCENARIO.replace("PSEUDO(gap)", "CONFIRMED"), encoding="utf-8")
        assert cli.main(["rules", "test", str(scenario.parent), "--pack", str(pack)]) == FAULTS
        first, summary = capsys.readouterr().out.splitlines()
        reason = "at 01 08:02:00: expected CONFIRMED, got PSEUDO(gap)"
        assert first == f"FAILED {scenario}: A raised lactate: {reason}"
        assert summary.startswith("1 scenario: 0 passed, 1 failed in ")

    def test_an_unusable_file_is_named_and_the_others_run(self, pack: Path, scenario: Path, capsys: Printed) -> None:
        broken = scenario.with_name(f"broken{SUFFIX}")
        broken.write_text("title: t\n", encoding="utf-8")
        other = scenario.with_name(f"other{SUFFIX}")
        other.write_text(SCENARIO.replace("pathway: mini", "pathway: maxi"), encoding="utf-8")
        assert cli.main(["rules", "test", str(scenario.parent), "--pack", str(pack)]) == cli.UNREADABLE
        out = capsys.readouterr().out
        assert f"UNUSABLE {broken}: source: Field required" in out
        assert f"UNUSABLE {other}: pathway: unknown pathway 'maxi'; known: mini" in out
        assert "3 scenarios: 1 passed, 0 failed, 2 unusable in" in out

    def test_site_settings_are_used(self, tmp_path: Path, pack: Path, scenario: Path, capsys: Printed) -> None:
        site = tmp_path / "site.yaml"
        site.write_text("overrides: {mini: {lactate_high: 5.0}}", encoding="utf-8")
        arguments = ["rules", "test", str(scenario), "--pack", str(pack), "--settings", str(site)]
        assert cli.main(arguments) == FAULTS
        assert "got NOT_APPLICABLE" in capsys.readouterr().out

    def test_the_settings_are_checked_against_the_packs(
        self, tmp_path: Path, pack: Path, scenario: Path, capsys: Printed
    ) -> None:
        site = tmp_path / "site.yaml"
        site.write_text("overrides: {mini: {lactat_high: 5.0}, septic-shock: {snooze: PT5M}}", encoding="utf-8")
        arguments = ["rules", "test", str(scenario), "--pack", str(pack), "--settings", str(site)]
        assert cli.main(arguments) == cli.UNREADABLE
        err = capsys.readouterr().err
        assert f"{site}: overrides.mini.lactat_high: the pack has no such parameter; did you mean lactate_high?" in err
        assert f"{site}: overrides.septic-shock: no such rule pack is loaded; loaded: mini" in err

    def test_several_processes_say_the_same(self, pack: Path, scenario: Path, capsys: Printed) -> None:
        for number in range(20):
            wrong = SCENARIO.replace("PSEUDO(gap)", "CONFIRMED") if number % 5 == 0 else SCENARIO
            scenario.with_name(f"c{number:02}{SUFFIX}").write_text(wrong, encoding="utf-8")
        said = []
        for jobs in ("1", "2"):
            arguments = ["rules", "test", str(scenario.parent), "--pack", str(pack), "--coverage", "--jobs", jobs]
            assert cli.main(arguments) == FAULTS
            said.append(capsys.readouterr().out.rpartition(" in ")[0])
        assert said[0] == said[1]
        assert said[0].endswith("21 scenarios: 17 passed, 4 failed")

    def test_junit_is_what_build_servers_read(self, tmp_path: Path, pack: Path, scenario: Path) -> None:
        scenario.with_name(f"failing{SUFFIX}").write_text(SCENARIO.replace("(gap)", "(hint)"), encoding="utf-8")
        scenario.with_name(f"wrong{SUFFIX}").write_text("[", encoding="utf-8")
        junit = tmp_path / "junit.xml"
        cli.main(["rules", "test", str(scenario.parent), "--pack", str(pack), "--junit", str(junit)])
        suite = ET.fromstring(junit.read_text(encoding="utf-8"))  # noqa: S314 - written here
        assert (suite.tag, suite.get("tests"), suite.get("failures"), suite.get("errors")) == (
            "testsuite",
            "3",
            "1",
            "1",
        )
        cases = {case.get("name"): case for case in suite}
        assert {case.get("classname") for case in suite} == {str(scenario.parent)}
        assert [len(cases[name]) for name in ("raised", "failing", "wrong")] == [0, 1, 1]
        failure = cases["failing"].find("failure")
        assert failure is not None
        assert "expected PSEUDO(hint), got PSEUDO(gap)" in (failure.text or "")

    def test_coverage_shows_what_was_not_seen(self, pack: Path, scenario: Path, capsys: Printed) -> None:
        assert cli.main(["rules", "test", str(scenario), "--pack", str(pack), "--coverage"]) == cli.OK
        out = capsys.readouterr().out
        assert "Coverage of mini\n" in out
        assert "conditions 1/1 met, 0/1 not met, 1/1 unknown" in " ".join(out.split()).replace(
            "0/1 unknown", "1/1 unknown"
        )
        assert "rescue: none (never: ELIGIBLE, BLOCKED, PSEUDO, INDETERMINATE, SUPPRESSED)" in out

    def test_too_little_coverage_fails(self, pack: Path, scenario: Path, capsys: Printed) -> None:
        arguments = ["rules", "test", str(scenario), "--pack", str(pack), "--fail-under"]
        assert cli.main([*arguments, "99"]) == FAULTS
        assert "is below 99 %" in capsys.readouterr().err
        assert cli.main([*arguments, "1"]) == cli.OK

    def test_nothing_to_play_is_an_error(self, tmp_path: Path, capsys: Printed) -> None:
        assert cli.main(["rules", "test", str(tmp_path)]) == cli.UNREADABLE
        assert "no *.scenario.yaml" in capsys.readouterr().err
        assert cli.main(["rules", "test", str(tmp_path / "absent")]) == cli.UNREADABLE
        assert "absent: No such file" in capsys.readouterr().err


class TestExplain:
    ASK = ("rules", "explain", str(DEMO), "--patient", "bed-1", "--at", "2026-03-14T09:30Z")

    def test_it_says_why_and_why_not_further(self, capsys: Printed) -> None:
        assert cli.main([*self.ASK, "--pathway", "septic-shock"]) == cli.OK
        out = capsys.readouterr().out
        assert out.startswith("bed-1, Septic shock (septic-shock) at 2026-03-14 09:30\nVerdict: ACTIVE, ")
        for part in ("\nWhy\n", "\nWhy not further, the nearest first\n", "\nMissing\n", "\nTherapies\n", "\nAlerts\n"):
            assert part in out
        assert "> 0.5 µg/kg/min for 1 h: now 0.535 µg/kg/min, > 0.5 for 25 min" in out
        assert "Every condition" not in out

    def test_a_pathway_that_does_not_apply_has_one_line(self, capsys: Printed) -> None:
        assert cli.main([*self.ASK]) == cli.OK
        *_, arrest, ards, seizures = capsys.readouterr().out.splitlines()
        for line, name in ((arrest, "cardiac-arrest"), (ards, "ards"), (seizures, "status-epilepticus")):
            assert f"({name}) at 2026-03-14 09:30: not applicable: not met or not known: " in line
        assert seizures.endswith("seizing now, by what was seen or by the EEG")
        assert cli.main([*self.ASK, "--pathway", "ards"]) == cli.OK
        assert "\nVerdict: NOT_APPLICABLE\n" in capsys.readouterr().out

    def test_it_says_how_long_a_therapy_can_still_be_decided_on(self, capsys: Printed) -> None:
        ask = ["--patient", "bed-9", "--at", "2026-03-14T11:00Z", "--pathway", "cardiac-arrest"]
        assert cli.main(["rules", "explain", str(DEMO), *ask]) == cli.OK
        aim = "earlier flow to aim at in hospital (40 min): decide by 2026-03-14 11:10, 10 min left"
        last = "last decision 2026-03-14 11:30 (closes 2026-03-14 11:50)"
        assert f"    window: ECMO flow after the collapse within 1 h: {aim}; {last}\n" in capsys.readouterr().out

    def test_what_is_received_later_or_of_others_does_not_count(self, tmp_path: Path, capsys: Printed) -> None:
        cut = tmp_path / "cut.jsonl"
        lines = DEMO.read_text(encoding="utf-8").splitlines(keepends=True)
        early = [line for line in lines if json.loads(line)["received_at"] <= "2026-03-14T09:30:00Z"]
        cut.write_text("".join(line for line in early if json.loads(line)["subject"] == "bed-1"), encoding="utf-8")
        said = []
        for log in (DEMO, cut):
            assert cli.main(["rules", "explain", str(log), *self.ASK[3:], "-v"]) == cli.OK
            said.append(capsys.readouterr().out)
        assert said[0] == said[1]

    def test_json_has_the_same(self, capsys: Printed) -> None:
        assert cli.main([*self.ASK, "--format", "json", "--pathway", "septic-shock"]) == cli.OK
        (found,) = json.loads(capsys.readouterr().out)
        assert (found["patient"], found["at"], found["verdict"]) == ("bed-1", "2026-03-14 09:30", "ACTIVE")
        assert found["nearest"][0]["criteria"][0]["truth"] == "not met"

    def test_an_unknown_patient_names_at_most_ten_that_are_there(self, tmp_path: Path, capsys: Printed) -> None:
        log = tmp_path / "ward.jsonl"
        event = make("observations", 0, readings=readings(lactate=(2, "mmol/L")))
        write_log((event.model_copy(update={"subject": f"bed-{n:02}", "id": f"e{n}"}) for n in range(12)), log)
        ask = ["rules", "explain", str(log), "--patient", "bed-99", "--at", "2027-01-01T00:00Z"]
        assert cli.main(ask) == cli.UNREADABLE
        err = capsys.readouterr().err
        assert "nothing of patient 'bed-99'" in err
        assert "bed-09, ..." in err
        assert "bed-10" not in err

    def test_an_unknown_pathway_or_a_time_without_zone_is_wrong_usage(self, capsys: Printed) -> None:
        assert cli.main([*self.ASK, "--pathway", "asthma"]) == cli.USAGE
        known = ", ".join(pack.id for pack in load_packs())
        assert f"'asthma' is not loaded; known: {known}" in capsys.readouterr().err
        assert cli.main([*self.ASK[:-1], "2026-03-14T09:30"]) == cli.USAGE
        assert "no time zone" in capsys.readouterr().err

    def test_bad_lines_are_named_and_change_the_exit_code(self, tmp_path: Path, capsys: Printed) -> None:
        log = tmp_path / "bad.jsonl"
        log.write_text(DEMO.read_text(encoding="utf-8") + "nonsense\n", encoding="utf-8")
        assert cli.main(["rules", "explain", str(log), *self.ASK[3:]]) == cli.BAD_LINES
        assert f"not read: {log}:" in capsys.readouterr().err


class TestShow:
    def test_without_a_pack_it_lists_them(self, capsys: Printed) -> None:
        assert cli.main(["rules", "show"]) == cli.OK
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == len(BUNDLED)
        assert [line.split()[0] for line in lines] == [pack.id for pack in load_packs()]

    @pytest.mark.parametrize("form", ["text", "markdown"])
    def test_everything_of_a_pack_is_there(self, form: str, capsys: Printed) -> None:
        assert cli.main(["rules", "show", "septic-shock", "--format", form]) == cli.OK
        out = capsys.readouterr().out
        found = next(pack for pack in load_packs() if pack.id == "septic-shock")
        parts = [
            *(s.title for s in found.stages),
            *(c.title for c in found.checks),
            *(t.title for t in found.therapies),
        ]
        for title in parts:
            assert title.lower() in out.lower()
        for parameter in found.parameters.values():
            assert f"{parameter.title}: " in out
        for source in found.sources.values():
            assert source.text in out
        assert "lactate > 2 mmol/L [Sepsis-3; source read]" in out
        assert "[local setting]" in out
        assert "mm[Hg]" not in out

    def test_a_file_can_be_shown(self, pack: Path, capsys: Printed) -> None:
        assert cli.main(["rules", "show", str(pack)]) == cli.OK
        assert capsys.readouterr().out.startswith("A small pack for tests (mini 2026.1.0)\n")

    def test_what_is_neither_file_nor_pack_is_wrong_usage(self, capsys: Printed) -> None:
        assert cli.main(["rules", "show", "asthma"]) == cli.USAGE
        assert "neither a file nor a bundled pack (cardiac-arrest" in capsys.readouterr().err


@pytest.mark.parametrize("subject", ["pack", "scenario", "settings"])
def test_schemas_are_printed(subject: str, capsys: Printed) -> None:
    assert cli.main(["rules", "schema", subject]) == cli.OK
    assert json.loads(capsys.readouterr().out)["$schema"].startswith("https://json-schema.org/")


def test_the_help_says_what_there_is(capsys: Printed) -> None:
    assert cli.main(["rules", "--help"]) == cli.OK
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in ("check", "test", "explain", "show", "schema"))
