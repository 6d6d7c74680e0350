"""Which dead letters are there already: found again after a crash, forgotten once nobody can send them again."""

from streams.letterbox import Letterbox
from streams.topics import TopicName

VITALS, ACTIONS = TopicName.VITALS, TopicName.ACTIONS


def test_what_is_found_and_what_is_added_is_held() -> None:
    box = Letterbox({(VITALS, 3): 7}, 9)
    box.add((ACTIONS, 3), 9)
    assert box.holds((VITALS, 3))
    assert box.holds((ACTIONS, 3))
    assert not box.holds((ACTIONS, 4))


def test_whoever_reads_from_its_begin_finds_all_that_is_held_and_all_that_follows() -> None:
    box = Letterbox({(VITALS, 3): 7, (VITALS, 1): 8}, 9)
    assert box.begin == 7
    box.forget({VITALS: 4}, ())
    assert box.begin == 9, "nothing is held: only what follows can be of use"
    box.add((VITALS, 5), 12)
    box.add((VITALS, 6), 13)
    assert box.begin == 12
    box.forget({VITALS: 6}, ())
    assert box.begin == 13


def test_records_before_the_floors_are_forgotten() -> None:
    box = Letterbox({(VITALS, offset): offset for offset in range(100)}, 100)
    box.forget({VITALS: 90, ACTIONS: 5}, ())
    assert len(box) == 10
    assert not box.holds((VITALS, 89))
    assert box.holds((VITALS, 90))
    box.forget({VITALS: 100}, ())
    assert not len(box)


def test_what_a_kept_state_holds_back_is_held_because_it_may_be_refused_again() -> None:
    box = Letterbox({(VITALS, 3): 7, (VITALS, 4): 8}, 9)
    box.forget({VITALS: 5}, {(VITALS, 4)})
    assert not box.holds((VITALS, 3))
    assert box.holds((VITALS, 4))
    assert box.begin == 8


def test_where_the_brokers_do_not_say_where_a_letter_is_it_is_looked_for_from_before() -> None:
    box = Letterbox({}, 9)
    box.add((VITALS, 3), -1)
    box.add((VITALS, 4), 11)
    assert box.begin == 9
