"""Where an input ends: after its last record, whatever marks follow; and not before what has been read."""

import pytest

from streams.kafka.reaching import Reach, ShrunkError

PLACE = ("icu.vitals", 0)


def test_nothing_is_known_before_the_client_has_heard_anything() -> None:
    reach = Reach()
    assert reach.end(PLACE, None, 0.0) is None
    assert reach.end(PLACE, -1, 0.0) is None


def test_marks_of_transactions_that_were_read_past_are_no_part_of_an_input() -> None:
    reach = Reach()
    reach.note(PLACE, 3, 2)
    assert reach.end(PLACE, 4, 0.0) == 4, "what is at 3 may be a record"
    reach.note(PLACE, 4, None)
    assert reach.end(PLACE, 4, 0.0) == 3, "it is none"
    reach.note(PLACE, 9, 7)
    assert reach.end(PLACE, 9, 0.0) == 8


def test_an_input_of_which_nothing_but_marks_is_left_has_been_read() -> None:
    reach = Reach()
    reach.note(PLACE, 9, None)
    assert reach.end(PLACE, 9, 0.0) == 0


def test_what_was_given_before_partitions_were_dealt_out_anew_does_not_count() -> None:
    reach = Reach()
    reach.note(PLACE, 9, 7)
    reach.clear()
    assert reach.end(PLACE, 5, 0.0) == 5


def test_an_input_that_is_shorter_than_what_was_read_is_a_fault_if_it_stays_so() -> None:
    reach = Reach()
    reach.note(PLACE, 9, 8)
    assert reach.end(PLACE, 5, 0.0) is None, "a new leader knows its end a little later"
    assert reach.end(PLACE, 5, 59.0) is None
    assert reach.end(PLACE, 9, 60.0) == 9
    assert reach.end(PLACE, 5, 61.0) is None
    with pytest.raises(ShrunkError, match=r"icu.vitals\[0\] ends at 5, but has been read up to 9"):
        reach.end(PLACE, 5, 122.0)
