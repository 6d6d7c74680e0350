"""Status epilepticus: what "still seizing" means in time, doses against their targets, anaesthesia without gaps."""

from __future__ import annotations

from math import nan
from typing import Any

import pytest

from rules import anaesthesia, antiseizure, catalogue, eeg, ketosis, seizures
from rules.facts import Coded, Flow, Given, Sample, SeizureEvent
from rules.instants import DAY, HOUR, MINUTE, TICK
from rules.landmarks import LANDMARKS
from rules.logic import MET, NOT_MET, UNKNOWN
from rules.minutes import MinuteSeries
from rules.packs import load_packs
from rules.pathway import Pathway
from rules.predicates import PREDICATES
from rules.settings import SiteSettings
from rules.timeline import Fact, Timeline
from rules.view import View, names_of

BASE = 20_000 * DAY
PACK = next(pack for pack in load_packs() if pack.id == "status-epilepticus")
PATHWAY = Pathway(PACK, SiteSettings(), catalogue.load())


class Bed:
    """A patient's record, in minutes after the beginning."""

    def __init__(self, weight: float | None = 70) -> None:
        self.timeline = Timeline()
        self.count = 0
        if weight is not None:
            self.add("signal:weight", 0, Sample(weight))

    def add(self, channel: str, minute: float, value: Any) -> Bed:
        self.count += 1
        at = BASE + round(minute * MINUTE)
        self.timeline.insert(channel, Fact(at, at, f"event-{self.count}", value), at)
        return self

    def seizure(self, minute: float, action: str = "start", semiology: str = "tonic_clonic") -> Bed:
        return self.add("seizure", minute, SeizureEvent(action, semiology))

    def dose(self, drug: str, minute: float, amount: float | None, route: str = "iv", **more: Any) -> Bed:
        fields = {"weight_power": 0, "status": "given", "started": None, "completed": True, **more}
        return self.add(f"dose:{drug}", minute, Given(amount=amount, route=route, **fields))

    def pump(self, drug: str, minute: float, action: str, rate: float | None = None) -> Bed:
        return self.add(f"infusion:{drug}", minute, Flow(action, "main", rate))

    def burden(self, *pairs: tuple[int, float]) -> Bed:
        series = self.timeline.dense.setdefault("signal:eeg_seizure_burden", MinuteSeries())
        for minute, value in pairs:
            series.insert(BASE + minute * MINUTE, value, BASE + minute * MINUTE)
        return self

    def view(self, minute: float, episode: float | None = None) -> View:
        anchors = {} if episode is None else {"episode": BASE + round(episode * MINUTE)}
        return View(PATHWAY.knowledge, self.timeline, anchors, BASE + round(minute * MINUTE))

    def seizing(self, minute: float) -> seizures.Seizing:
        return seizures.seizing(self.view(minute))


def test_the_blockers_and_carbapenems_are_those_of_the_catalogue() -> None:
    known = catalogue.load()
    assert set(names_of(known, "nmba")) == {
        channel.partition(":")[2] for channel in seizures.READS if "dose:" in channel
    }
    assert set(names_of(known, "carbapenem")) == set(antiseizure.CARBAPENEMS)


class TestStillSeizing:
    def test_nothing_on_record_is_no_seizure(self) -> None:
        assert Bed().seizing(0).truth is NOT_MET

    def test_from_its_start_until_its_stop(self) -> None:
        bed = Bed().seizure(0).seizure(20, "stop")
        assert [bed.seizing(minute).truth for minute in (-1, 0, 19.9, 20, 100)] == [NOT_MET, MET, MET, NOT_MET, NOT_MET]

    def test_unconfirmed_it_becomes_unknown_and_says_since_when(self) -> None:
        bed = Bed().seizure(0).seizure(10, "ongoing")
        assert bed.seizing(40).truth is MET
        late = bed.seizing(40.1)
        assert late.truth is UNKNOWN
        assert late.missing[0].startswith("seizure_update (last ")

    def test_the_instant_at_which_it_becomes_unknown_is_noted(self) -> None:
        view = Bed().seizure(0).view(5)
        seizures.seizing(view)
        assert view.next_change == BASE + 30 * MINUTE + 1000

    def test_a_stop_of_the_other_kind_ends_nothing(self) -> None:
        bed = Bed().seizure(0).seizure(5, "stop", "electrographic")
        assert bed.seizing(6).truth is MET
        bed = Bed().seizure(0, semiology="electrographic").seizure(5, "stop")
        assert bed.seizing(6).truth is MET
        assert bed.seizing(6).by_eeg_only

    def test_a_stop_without_a_start_is_nothing(self) -> None:
        assert Bed().seizure(0, "stop").seizing(1).truth is NOT_MET

    def test_going_on_is_a_start_where_none_was_recorded(self) -> None:
        bed = Bed().seizure(0, "ongoing")
        assert bed.seizing(1).truth is MET
        assert seizures.onset(bed.view(1)) == BASE

    def test_going_on_after_a_silence_is_the_same_seizure(self) -> None:
        bed = Bed().seizure(0).seizure(36, "ongoing")
        assert seizures.onset(bed.view(36)) == BASE

    def test_a_start_after_a_silence_is_another(self) -> None:
        bed = Bed().seizure(0).seizure(300)
        assert seizures.onset(bed.view(300)) == BASE + 300 * MINUTE

    def test_recovery_on_record_ends_what_nobody_confirmed(self) -> None:
        bed = Bed().seizure(0).add("state:returned_to_baseline", 50, Coded("present"))
        assert bed.seizing(49).truth is UNKNOWN
        assert bed.seizing(50).truth is NOT_MET


class TestUnderABlocker:
    def test_neither_silence_nor_a_stop_counts(self) -> None:
        bed = Bed().seizure(0).dose("rocuronium", 10, 70).seizure(12, "stop")
        assert bed.seizing(9.9).truth is MET
        for minute in (10, 12, 69):
            assert bed.seizing(minute).missing == ("paralysed_no_eeg",)
        assert bed.seizing(71).truth is UNKNOWN

    def test_a_stop_after_it_wore_off_counts(self) -> None:
        bed = Bed().seizure(0).dose("rocuronium", 10, 70).seizure(75, "stop")
        assert bed.seizing(75).truth is NOT_MET

    def test_an_infusion_hides_for_as_long_as_it_runs(self) -> None:
        bed = Bed().seizure(0).pump("cisatracurium", 10, "start", 3.0).pump("cisatracurium", 40, "stop")
        assert bed.seizing(30).missing == ("paralysed_no_eeg",)
        assert bed.seizing(100).missing == ("paralysed_no_eeg",)
        assert bed.seizing(100.1).missing[0].startswith("seizure_update")

    def test_an_eeg_sees_through_it(self) -> None:
        bed = Bed().add("state:ceeg", 0, Coded("present")).seizure(0).dose("rocuronium", 10, 70).seizure(12, "stop")
        assert bed.seizing(13).truth is NOT_MET

    def test_an_unusable_eeg_does_not(self) -> None:
        bed = Bed().add("state:ceeg", 0, Coded("present")).add("state:eeg_valid", 1, Coded("absent"))
        assert bed.seizure(0).dose("rocuronium", 10, 70).seizure(12, "stop").seizing(13).truth is UNKNOWN

    def test_an_ordered_blocker_hides_nothing(self) -> None:
        bed = Bed().seizure(0).dose("rocuronium", 10, 70, status="ordered").seizure(12, "stop")
        assert bed.seizing(13).truth is NOT_MET

    def test_a_seizure_long_before_it_is_no_doubt(self) -> None:
        assert Bed().seizure(0).seizure(2, "stop").dose("rocuronium", 200, 70).seizing(201).truth is NOT_MET


class TestEeg:
    def test_ten_minute_values_speak_for_ten_minutes(self) -> None:
        bed = (
            Bed().add("signal:eeg_seizure_minutes", 10, Sample(3.0)).add("signal:eeg_seizure_minutes", 20, Sample(0.0))
        )
        assert [bed.seizing(minute).truth for minute in (10, 19, 20)] == [MET, MET, NOT_MET]
        assert seizures.onset(bed.view(10)) == BASE

    def test_a_value_that_grew_old_after_a_seizure_is_unknown(self) -> None:
        bed = Bed().add("signal:eeg_seizure_minutes", 10, Sample(3.0))
        assert [bed.seizing(minute).truth for minute in (25, 25.1, 600)] == [MET, UNKNOWN, UNKNOWN]

    def test_one_that_cannot_be_read_is_unknown(self) -> None:
        bed = Bed().add("signal:eeg_seizure_minutes", 10, Sample(0.0))
        bed.add("signal:eeg_seizure_minutes", 20, Sample(nan))
        assert bed.seizing(21).truth is UNKNOWN
        assert eeg.hourly_burden(bed.view(21)).low == 0

    def test_one_without_seizure_grows_old_quietly(self) -> None:
        assert Bed().add("signal:eeg_seizure_minutes", 10, Sample(0.0)).seizing(600).truth is NOT_MET

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([(m, 40.0) for m in range(20)], MET),
            ([(m, 40.0 - m) for m in range(20)], UNKNOWN),
            ([(m, 20.0 + m) for m in range(20)], MET),
            ([(m, 19.0) for m in range(20)], NOT_MET),
            ([(m, 0.5 * m) for m in range(20)], MET),
            ([(m, 0.0) for m in range(20)], NOT_MET),
        ],
    )
    def test_a_running_burden_means_seizing_if_it_rises_or_stays_high(
        self, values: list[tuple[int, float]], expected: object
    ) -> None:
        assert Bed().burden(*values).seizing(20).truth is expected

    def test_the_end_of_a_running_burden_is_an_hour_before_it_is_nought(self) -> None:
        bed = Bed().burden(*((m, 10.0) for m in range(100)), *((m, 0.0) for m in range(100, 140)))
        assert seizures.free_since(bed.view(140)) == (BASE + (101 - 60) * MINUTE, ())

    def test_of_that_hour_only_what_was_watched_counts(self) -> None:
        bed = Bed().burden(*((m, 10.0) for m in range(30)), *((m, 0.0) for m in range(30, 70)))
        assert seizures.free_since(bed.view(70)) == (BASE, ())

    def test_what_comes_after_a_loss_of_the_eeg_counts_from_its_return(self) -> None:
        bed = Bed().burden((0, 30.0), *((m, 0.0) for m in range(100, 120)))
        assert seizures.free_since(bed.view(120)) == (BASE + 100 * MINUTE, ())

    @pytest.mark.parametrize(("gap", "since"), [(10, 0), (11, 31)])
    def test_a_gap_longer_than_a_value_counts_breaks_the_quiet(self, gap: int, since: int) -> None:
        bed = Bed().seizure(-5).seizure(-1, "stop")
        bed.burden(*((m, 0.0) for m in range(20)), *((m, 0.0) for m in range(20 + gap, 60)))
        assert seizures.free_since(bed.view(60)) == (BASE + since * MINUTE, ())

    def test_time_with_an_unusable_eeg_was_not_watched(self) -> None:
        bed = Bed().seizure(-5).seizure(-1, "stop").burden(*((m, 0.0) for m in range(60)))
        bed.add("state:eeg_artefact", 10, Coded("present")).add("state:eeg_artefact", 25, Coded("absent"))
        assert seizures.free_since(bed.view(60)) == (BASE + 25 * MINUTE, ())

    def test_the_end_that_nobody_saw_is_when_consciousness_came_back(self) -> None:
        bed = Bed().burden((0, 30.0)).add("signal:gcs", 50, Sample(15.0))
        assert bed.seizing(49).truth is UNKNOWN
        assert seizures.free_since(bed.view(60)) == (BASE + 50 * MINUTE, ())

    def test_a_low_burden_before_the_loss_leaves_open_whether_it_goes_on(self) -> None:
        assert Bed().burden((0, 5.0)).seizing(30).truth is UNKNOWN

    @pytest.mark.parametrize("burden", [5.0, 30.0])
    def test_an_eeg_lost_while_it_showed_seizures_leaves_that_open_for_days(self, burden: float) -> None:
        bed = Bed().burden((0, burden))
        for hours in (1, 27, 29, 120):
            assert bed.seizing(hours * 60).truth is UNKNOWN
            assert seizures.free_since(bed.view(hours * 60))[0] is None

    def test_an_eeg_is_looked_through_as_far_back_as_a_hospital_asks(self) -> None:
        bed = Bed().seizure(-5).seizure(-1, "stop").burden(*((m, 0.0) for m in range(60 * 60)))
        assert seizures.free_since(bed.view(60 * 60), 48 * HOUR) == (BASE, ())

    def test_what_an_eeg_showed_further_back_does_not_count_as_free(self) -> None:
        bed = Bed().add("signal:gcs", 0, Sample(15.0)).burden((5, 30.0), *((m, 0.0) for m in range(6, 50 * 60)))
        assert seizures.free_since(bed.view(50 * 60)) == (BASE + 50 * HOUR - eeg.WATCHED, ())
        assert seizures.awake_since(bed.view(50 * 60), BASE + 50 * HOUR - eeg.WATCHED) is UNKNOWN

    def test_a_reading_neither_begins_nor_ends_the_monitoring(self) -> None:
        bed = Bed().add("state:ceeg", 0, Coded("present")).add("state:ceeg", 30, Coded("done"))
        assert eeg.running(bed.view(300), BASE + 300 * MINUTE)
        bed.add("state:ceeg", 310, Coded("absent")).add("state:ceeg", 320, Coded("done"))
        assert not eeg.running(bed.view(315), BASE + 315 * MINUTE)
        assert eeg.running(bed.view(330), BASE + 330 * MINUTE)
        assert not eeg.running(bed.view(331), BASE + 331 * MINUTE)

    def test_an_eeg_whose_software_fell_silent_watches_nothing(self) -> None:
        bed = Bed().add("state:ceeg", 0, Coded("present")).burden((1, 0.0))
        assert eeg.watched(bed.view(5), BASE + 5 * MINUTE)
        assert not eeg.watched(bed.view(30), BASE + 30 * MINUTE)
        assert eeg.running(bed.view(30), BASE + 30 * MINUTE)

    def test_what_a_blocker_hid_was_not_free_of_seizures(self) -> None:
        bed = Bed().seizure(0).seizure(5, "stop").dose("rocuronium", 10, 70).add("signal:gcs", 90, Sample(11.0))
        assert seizures.free_since(bed.view(60)) == (None, ("paralysed_no_eeg",))
        assert seizures.free_since(bed.view(100)) == (BASE + 70 * MINUTE, ())

    def test_missing_values_between_widen_the_burden(self) -> None:
        bed = (
            Bed().add("signal:eeg_seizure_minutes", 10, Sample(6.0)).add("signal:eeg_seizure_minutes", 30, Sample(3.0))
        )
        burden = eeg.hourly_burden(bed.view(30))
        assert (burden.low, round(burden.high, 2)) == (15.0, 31.67)

    def test_what_was_before_the_first_value_is_not_counted(self) -> None:
        burden = eeg.hourly_burden(Bed().add("signal:eeg_seizure_minutes", 10, Sample(6.0)).view(10))
        assert (burden.low, burden.high) == (10.0, 10.0)


class TestSince:
    def test_seizures_without_recovery_are_one_run(self) -> None:
        bed = Bed().seizure(0).seizure(5, "stop").seizure(40)
        assert seizures.onset(bed.view(41)) == BASE

    def test_recovery_between_them_divides(self) -> None:
        bed = Bed().seizure(0).seizure(5, "stop").add("signal:gcs", 20, Sample(15.0)).seizure(40)
        assert seizures.onset(bed.view(41)) == BASE + 40 * MINUTE

    def test_an_hour_between_them_divides(self) -> None:
        bed = Bed().seizure(0).seizure(5, "stop").seizure(65.1)
        assert seizures.onset(bed.view(66)) == BASE + round(65.1 * MINUTE)

    def test_the_episode_began_with_its_first_seizure_although_the_run_is_another(self) -> None:
        bed = Bed().seizure(0).seizure(5, "stop").seizure(200)
        view = bed.view(201, episode=0)
        assert seizures.episode_onset(view) == BASE
        assert seizures.onset(view) == BASE + 200 * MINUTE

    @pytest.mark.parametrize("name", ["seizure_onset", "episode_onset", "first_line_end", "second_line_end"])
    def test_landmarks_are_not_there_without_a_seizure(self, name: str) -> None:
        assert LANDMARKS[name].find(Bed().view(10)).at is None

    def test_the_present_diet_counts_from_its_own_start(self) -> None:
        bed = Bed()
        for minute, value in ((0, "present"), (10, "absent"), (20, "present"), (30, "present")):
            bed.add("state:ketogenic_diet", minute, Coded(value))
        assert ketosis.diet_since(bed.view(40)) == BASE + 20 * MINUTE
        assert ketosis.diet_since(bed.view(15)) is None


class TestKetosis:
    def spell(self, days: float, *values: tuple[float, float]) -> tuple[float, float]:
        bed = Bed().add("state:ketogenic_diet", 0, Coded("present"))
        for day, value in values:
            bed.add("signal:beta_hydroxybutyrate", day * 1440, Sample(value))
        found = ketosis.spell(bed.view(days * 1440))
        assert found is not None
        return found.least / DAY, found.most / DAY

    def test_days_of_diet_are_not_days_of_ketosis(self) -> None:
        assert self.spell(4, *((day, 0.5) for day in range(5))) == (0, 0)

    def test_between_two_values_at_the_target_there_is_ketosis(self) -> None:
        assert self.spell(4, *((day, 2.0) for day in range(5))) == (4, 4)

    def test_the_last_value_holds_for_a_day(self) -> None:
        assert self.spell(3, (0, 2.5)) == (1, 3)

    def test_before_the_first_value_nobody_knows(self) -> None:
        assert self.spell(3, (2, 2.5)) == (1, 3)

    def test_a_long_gap_leaves_open_what_was_in_it(self) -> None:
        assert self.spell(3, (0, 2.5), (3, 2.5)) == (1, 3)

    def test_between_a_value_at_the_target_and_one_below_it_either_may_be(self) -> None:
        assert self.spell(2, (0, 2.5), (1, 1.9), (2, 2.1)) == (0, 2)

    def test_more_than_a_bound_is_enough_and_less_than_one_is_none(self) -> None:
        bed = Bed().add("state:ketogenic_diet", 0, Coded("present"))
        for day, bound in ((0, ">"), (1, ">"), (2, "<"), (3, "<")):
            bed.add("signal:beta_hydroxybutyrate", day * 1440, Sample(2.0, comparator=bound))
        assert ketosis.spell(bed.view(3 * 1440)) == ketosis.Spell(BASE, DAY, 2 * DAY)

    def test_without_a_diet_there_is_none(self) -> None:
        assert ketosis.spell(Bed().add("signal:beta_hydroxybutyrate", 0, Sample(3.0)).view(10)) is None


class TestHomeDrugs:
    def test_taken_again_and_again_and_then_no_more_it_was_missed(self) -> None:
        bed = Bed().dose("carbamazepine", -3 * 1440, 200, "enteral").dose("carbamazepine", -2 * 1440, 200, "enteral")
        found = antiseizure.missed(bed.seizure(0).view(5))
        assert found is not None
        assert "carbamazepine last given" in found.text

    def test_within_a_day_it_was_not(self) -> None:
        bed = Bed().dose("carbamazepine", -2 * 1440, 200, "enteral").dose("carbamazepine", -1400, 200, "enteral")
        assert antiseizure.missed(bed.seizure(0).view(5)) is None

    def test_once_is_no_habit(self) -> None:
        assert antiseizure.missed(Bed().dose("valproate", -2 * 1440, 500).seizure(0).view(5)) is None

    def test_another_drug_instead_of_it_is_a_change_of_treatment(self) -> None:
        bed = Bed().dose("valproate", -4 * 1440, 500).dose("valproate", -3 * 1440, 500)
        assert antiseizure.missed(bed.dose("levetiracetam", -600, 500).seizure(0).view(5)) is None

    def test_what_was_recorded_as_missed_is_put_right_by_a_dose(self) -> None:
        bed = Bed().add("state:home_asm_missed", -10, Coded("present")).seizure(0)
        assert antiseizure.missed(bed.view(5)) is not None
        assert antiseizure.missed(bed.dose("levetiracetam", 6, 1000).view(7)) is None

    def test_valproate_is_taken_until_a_day_after_its_last_dose(self) -> None:
        bed = Bed().dose("valproate", 0, 500, "enteral")
        assert antiseizure.home_valproate(bed.view(1440)) == BASE
        assert antiseizure.home_valproate(bed.view(1441)) is None
        view = bed.view(60)
        antiseizure.home_valproate(view)
        assert view.next_change == BASE + 1440 * MINUTE + TICK

    def test_a_level_says_that_it_is_taken(self) -> None:
        assert antiseizure.home_valproate(Bed().add("signal:valproate_level", 0, Sample(12.0)).view(60)) == BASE

    @pytest.mark.parametrize(("before", "counts"), [(15, True), (15.1, False)])
    def test_what_was_given_just_before_the_charted_onset_counts(self, before: float, counts: bool) -> None:
        bed = Bed().dose("midazolam", -before, 10, "im").dose("levetiracetam", -before, 4200).seizure(0)
        assert bool(antiseizure.first_line(bed.view(1))) is counts
        assert bool(antiseizure.second_line(bed.view(1))) is counts


class TestLevels:
    def low(self, bed: Bed, minute: float) -> object:
        return PREDICATES["level_subtherapeutic"].decide(bed.view(minute)).truth

    def test_below_the_limit_of_detection_is_low(self) -> None:
        assert self.low(Bed().add("signal:valproate_level", 0, Sample(10.0, comparator="<")), 60) is MET

    @pytest.mark.parametrize(("albumin", "expected"), [(2.0, NOT_MET), (4.0, MET)])
    def test_phenytoin_is_corrected(self, albumin: float, expected: object) -> None:
        bed = Bed().add("signal:phenytoin_total", 0, Sample(6.0)).add("signal:albumin", 0, Sample(albumin))
        assert self.low(bed, 60) is expected

    def test_a_level_from_before_ecmo_is_stale(self) -> None:
        bed = Bed().add("signal:phenytoin_free", 0, Sample(0.4))
        assert self.low(bed, 60) is MET
        assert self.low(bed.add("state:ecmo_va", 30, Coded("present")), 60) is NOT_MET

    def test_that_ecmo_still_runs_makes_no_level_stale(self) -> None:
        bed = Bed().add("state:ecmo_va", -600, Coded("present")).add("signal:phenytoin_free", 0, Sample(0.4))
        assert self.low(bed.add("state:ecmo_va", 30, Coded("present")), 60) is MET


class TestDoses:
    @pytest.mark.parametrize(
        ("weight", "drug", "route", "target"),
        [
            (70, "lorazepam", "iv", 4),
            (35, "lorazepam", "iv", 3.5),
            (70, "midazolam", "im", 10),
            (40, "midazolam", "im", 5),
            (70, "midazolam", "nasal", 10),
            (60, "diazepam", "iv", 9),
            (90, "diazepam", "iv", 10),
            (70, "diazepam", "rectal", 14),
            (120, "diazepam", "rectal", 20),
        ],
    )
    def test_first_line_targets(self, weight: float, drug: str, route: str, target: float) -> None:
        bed = Bed(weight).seizure(0).dose(drug, 5, 1.0, route)
        assert antiseizure.first_line(bed.view(6))[0].target.low == pytest.approx(target)

    @pytest.mark.parametrize(
        ("weight", "drug", "target"),
        [
            (70, "levetiracetam", 4200),
            (100, "levetiracetam", 4500),
            (70, "fosphenytoin", 1400),
            (100, "fosphenytoin", 1500),
            (70, "phenytoin", 1400),
            (70, "valproate", 2800),
            (90, "valproate", 3000),
            (70, "lacosamide", 350),
            (100, "lacosamide", 400),
        ],
    )
    def test_second_line_targets(self, weight: float, drug: str, target: float) -> None:
        bed = Bed(weight).seizure(0).dose(drug, 5, 1.0)
        assert antiseizure.second_line(bed.view(6))[0].target.low == pytest.approx(target)

    def test_phenobarbital_is_first_line_only_where_no_benzodiazepine_was_tried(self) -> None:
        bed = Bed().seizure(0).dose("phenobarbital", 10, 1050)
        assert antiseizure.first_line(bed.view(11))
        assert not antiseizure.second_line(bed.view(11))
        bed.dose("lorazepam", 5, 2)
        assert [course.drug for course in antiseizure.first_line(bed.view(11))] == ["lorazepam"]
        assert [course.drug for course in antiseizure.second_line(bed.view(11))] == ["phenobarbital"]

    def test_without_weight_the_share_lies_between_bounds(self) -> None:
        (course,) = antiseizure.second_line(Bed(None).seizure(0).dose("levetiracetam", 5, 2250).view(6))
        assert (course.share.low, course.share.high) == (0.5, float("inf"))
        assert course.share.missing == ("weight",)

    def test_a_load_by_pump_is_the_integral_of_its_rate(self) -> None:
        bed = Bed().seizure(0).pump("levetiracetam", 5, "start", 400.0).pump("levetiracetam", 10, "rate", 200.0)
        (course,) = antiseizure.second_line(bed.pump("levetiracetam", 15, "stop").view(20))
        assert (course.given.low, course.end) == (3000, BASE + 15 * MINUTE)

    def test_a_load_by_pump_is_nothing_before_its_stop(self) -> None:
        bed = Bed().seizure(0).pump("levetiracetam", 5, "start", 420.0).pump("levetiracetam", 15, "stop")
        assert not antiseizure.second_line(bed.view(14))

    def test_a_pause_adds_nothing(self) -> None:
        bed = Bed().seizure(0).pump("levetiracetam", 5, "start", 400.0).pump("levetiracetam", 10, "pause")
        bed.pump("levetiracetam", 20, "resume").pump("levetiracetam", 25, "stop")
        assert antiseizure.second_line(bed.view(26))[0].given.low == 4000

    @pytest.mark.parametrize(("share", "word"), [(4200, ""), (3000, "borderline"), (1000, "inadequate")])
    def test_the_grade_is_said(self, share: float, word: str) -> None:
        view = Bed().seizure(0).dose("levetiracetam", 5, share).view(6)
        text = antiseizure.in_words(view, antiseizure.second_line(view)[0]).text
        assert word in text
        assert "of 4200 mg" in text


class TestAnaesthesia:
    def bed(self) -> Bed:
        bed = Bed().seizure(0)
        for minute in range(0, 240, 30):
            bed.pump("midazolam", minute + 10, "start" if minute == 0 else "rate", 0.3)
        return bed

    def test_it_lasts_from_its_start(self) -> None:
        course = anaesthesia.course(self.bed().view(70, episode=0))
        assert course is not None
        assert (course.start, course.least, course.most) == (BASE + 10 * MINUTE, HOUR, HOUR)

    def test_a_gap_does_not_count_and_a_short_one_does(self) -> None:
        bed = self.bed().pump("midazolam", 230, "stop").pump("midazolam", 260, "start", 0.3)
        course = anaesthesia.course(bed.view(270, episode=0))
        assert course is not None
        assert (course.least, course.gaps) == (260 * MINUTE, ())
        bed = self.bed().pump("midazolam", 230, "stop").pump("midazolam", 261, "start", 0.3)
        course = anaesthesia.course(bed.view(271, episode=0))
        assert course is not None
        assert course.least == (271 - 10 - 31) * MINUTE
        assert [gap.end - gap.start for gap in course.gaps] == [31 * MINUTE]

    def test_a_rate_that_nobody_confirmed_is_not_certain(self) -> None:
        course = anaesthesia.course(self.bed().view(400, episode=0))
        assert course is not None
        assert course.least < course.most == 390 * MINUTE
        assert course.missing

    def test_sedation_is_not_anaesthesia(self) -> None:
        bed = Bed().pump("propofol", -300, "start", 0.7).seizure(0)
        for minute in range(-240, 240, 30):
            bed.pump("propofol", minute, "rate", 0.7)
        view = bed.view(240, episode=0)
        assert anaesthesia.start(view) == anaesthesia.Start(None)
        assert anaesthesia.course(view) is None
        assert anaesthesia.running(view) is NOT_MET

    def test_two_sedatives_make_no_anaesthetic(self) -> None:
        bed = Bed().seizure(0).pump("midazolam", 10, "start", 0.03).pump("propofol", 20, "start", 0.9)
        assert anaesthesia.start(bed.view(30, episode=0)).at is None

    def test_any_agent_at_its_own_rate_begins_it(self) -> None:
        bed = Bed().seizure(0).pump("midazolam", 10, "start", 0.02).pump("propofol", 20, "start", 1.2)
        assert anaesthesia.start(bed.view(15, episode=0)).at is None
        assert anaesthesia.start(bed.view(30, episode=0)).at == BASE + 20 * MINUTE

    def test_once_begun_it_goes_on_down_to_half(self) -> None:
        bed = Bed().seizure(0).pump("propofol", 10, "start", 2).pump("propofol", 40, "rate", 0.6)
        assert anaesthesia.running(bed.view(50, episode=0)) is MET
        assert anaesthesia.running(bed.pump("propofol", 50, "rate", 0.5).view(50, episode=0)) is NOT_MET

    @pytest.mark.parametrize(("off", "expected"), [(30, MET), (31, NOT_MET)])
    def test_after_a_long_interruption_it_begins_anew(self, off: int, expected: object) -> None:
        bed = Bed().seizure(0).pump("propofol", 10, "start", 2).pump("propofol", 40, "stop")
        assert anaesthesia.running(bed.pump("propofol", 40 + off, "start", 0.7).view(75, episode=0)) is expected

    def test_without_weight_nobody_knows(self) -> None:
        bed = Bed(None).seizure(0)
        for minute in range(10, 100, 30):
            bed.add("infusion:propofol", minute, Flow("rate", "main", 100.0, -1))
        view = bed.view(100, episode=0)
        assert anaesthesia.start(view) == anaesthesia.Start(None, BASE + 10 * MINUTE, ("weight",))
        assert anaesthesia.running(view) is UNKNOWN
        course = anaesthesia.course(view)
        assert course is not None
        assert (course.least, course.most) == (0, 90 * MINUTE)

    def test_what_ran_unchanged_since_before_the_seizure_is_no_answer_to_it(self) -> None:
        bed = Bed().pump("propofol", -30, "start", 2).seizure(0).pump("propofol", 10, "rate", 2)
        assert anaesthesia.running(bed.view(20, episode=0)) is NOT_MET
        assert anaesthesia.running(bed.pump("propofol", 20, "rate", 2.5).view(20, episode=0)) is MET

    def test_unless_the_eeg_target_is_reached(self) -> None:
        bed = Bed().pump("propofol", -30, "start", 2).seizure(0)
        bed.add("state:seizure_suppressed_on_eeg", 10, Coded("present"))
        assert anaesthesia.running(bed.view(20, episode=0)) is MET

    def test_what_was_begun_just_before_the_charted_onset_is(self) -> None:
        assert anaesthesia.running(Bed().pump("propofol", -14, "start", 2).seizure(0).view(1, episode=0)) is MET

    def test_reduced_is_lower_than_before(self) -> None:
        bed = self.bed().pump("midazolam", 230, "rate", 0.2)
        assert anaesthesia.reduced_before(bed.view(225, episode=0), BASE + 225 * MINUTE) is NOT_MET
        assert anaesthesia.reduced_before(bed.view(240, episode=0), BASE + 235 * MINUTE) is MET

    def test_paused_is_not_reduced(self) -> None:
        bed = self.bed().pump("midazolam", 230, "pause")
        assert anaesthesia.reduced_before(bed.view(240, episode=0), BASE + 235 * MINUTE) is NOT_MET

    def test_withdrawn_sedation_of_unknown_depth_is_unknown(self) -> None:
        bed = Bed(None).seizure(0).add("infusion:propofol", 10, Flow("start", "main", 100.0, -1))
        bed.pump("propofol", 50, "stop")
        assert anaesthesia.reduced_before(bed.view(60, episode=0), BASE + 55 * MINUTE) is UNKNOWN


def test_no_text_claims_what_a_higher_dose_would_have_done() -> None:
    assert "would have" not in PACK.model_dump_json()
