"""A simulated ward: vitals and treatment that look like patients, made from a seed, with the truth beside them."""

from __future__ import annotations

from streams.simulator.bed import Message
from streams.simulator.courses import COURSES, GROUPS
from streams.simulator.mix import DEFAULT_MIX, MixError, read_mix
from streams.simulator.simulation import START, Simulation
from streams.simulator.truth import BedTruth, Stretch, encode_truth

__all__ = [
    "COURSES",
    "DEFAULT_MIX",
    "GROUPS",
    "START",
    "BedTruth",
    "Message",
    "MixError",
    "Simulation",
    "Stretch",
    "encode_truth",
    "read_mix",
]
