"""A look at a patient: what is too old, and what nobody misses."""

from rules.glance import Glance, Last

HOUR = 3_600_000


def looked(*signals: Last) -> Glance:
    return Glance(newest=0, signals=signals, goals=None, age=None, admitted=True)


def test_a_signal_is_stale_once_it_is_older_than_it_lasts() -> None:
    glance = looked(Last("lactate", 0, HOUR), Last("lvef", 0, None))
    assert glance.stale(HOUR) == ()
    assert glance.stale(HOUR + 1) == ("lactate",)


def test_nobody_misses_the_cuff_while_there_is_an_arterial_line() -> None:
    cuff = Last("map_noninvasive", 0, HOUR)
    assert looked(cuff, Last("map_invasive", HOUR, HOUR)).stale(HOUR + 1) == ()
    assert looked(cuff, Last("map_invasive", 0, HOUR)).stale(HOUR + 1) == ("map_noninvasive", "map_invasive")
    assert looked(Last("map_invasive", 0, HOUR), cuff._replace(at=HOUR)).stale(HOUR + 1) == ("map_invasive",)
