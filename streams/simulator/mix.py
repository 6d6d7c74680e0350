"""Which bed takes which course: shares of courses or groups, made into whole beds."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Final

from streams.simulator.courses import COURSES, GROUPS

DEFAULT_MIX: Final[Mapping[str, float]] = {
    "quiet": 0.80,
    "septic-shock": 0.08,
    "ards": 0.05,
    "status-epilepticus": 0.04,
    "cardiac-arrest": 0.03,
}
"""Mostly quiet: refractory shock develops in about 7 % of the critically ill (Jentzer 2018); the rest is made up."""


class MixError(ValueError):
    """A mix that cannot be used; the text names the part and the reason."""


def read_mix(text: str) -> dict[str, float]:
    """Read ``quiet:0.8,septic-shock:0.2``; a name without a number counts as 1.

    Raises:
        MixError: naming what is no course or group, or no number of 0 or more.
    """
    mix: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = (piece.strip() for piece in part.partition(":"))
        try:
            mix[name] = float(share) if share else 1.0
        except ValueError:
            raise MixError(f"{share!r} is not a number") from None
    check_mix(mix)
    return mix


def check_mix(mix: Mapping[str, float]) -> None:
    """Refuse a mix that names what there is not, or leaves no share for anything.

    Raises:
        MixError: with the reason.
    """
    for name, share in mix.items():
        if name not in COURSES and name not in GROUPS:
            raise MixError(f"{name!r} is none of {', '.join([*GROUPS, *COURSES])}")
        if not 0 <= share < float("inf"):
            raise MixError(f"the share of {name} must be a number of 0 or more")
    if not any(mix.values()):
        raise MixError("no course has a share above 0")


def deal(beds: int, mix: Mapping[str, float], chance: Random) -> list[str]:
    """The name of each bed's course: the shares as nearly as whole beds allow, in an order by chance."""
    names: list[str] = []
    for name, count in _apportion(beds, mix, chance).items():
        members = _apportion(count, dict.fromkeys(GROUPS.get(name, (name,)), 1.0), chance)
        names += [member for member, times in members.items() for _ in range(times)]
    chance.shuffle(names)
    return names


def _apportion(beds: int, shares: Mapping[str, float], chance: Random) -> dict[str, int]:
    """Whole beds by largest remainder; ties by chance, so that a small ward does not always have the first course."""
    total = sum(shares.values())
    exact = {name: beds * share / total for name, share in shares.items() if share}
    dealt = {name: int(part) for name, part in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (round(dealt[name] - exact[name], 9), chance.random()))
    for name in by_remainder[: beds - sum(dealt.values())]:
        dealt[name] += 1
    return dealt
