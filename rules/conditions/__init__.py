"""Conditions: trees of typed nodes, written in YAML as one key per node, evaluated against a view.

``{compare: {measure: lactate, gt: lactate_high}}`` reads: the latest usable lactate is above the pack's parameter
``lactate_high``. No number stands in a condition; each has a name, a unit and a source among the pack's parameters.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from rules.conditions.combinations import All, AnyOf, AtLeast, Certain, Not, Pending
from rules.conditions.lasting import Lasted
from rules.conditions.node import Node, one_key
from rules.conditions.numbers import Compare, Fell, Persistent, Stayed, Sustained
from rules.conditions.records import DoseGiven, Present, Running, Stopped
from rules.conditions.references import Check, Decide, Elapsed, Reached, Setting, Stands, Use

Condition = Annotated[
    Annotated[
        Compare
        | Sustained
        | Stayed
        | Persistent
        | Lasted
        | Fell
        | Present
        | Running
        | Stopped
        | DoseGiven
        | Elapsed
        | Reached
        | Setting
        | Stands
        | Check
        | Use
        | Decide
        | All
        | AnyOf
        | Not
        | Certain
        | AtLeast
        | Pending,
        Field(discriminator="type"),
    ],
    BeforeValidator(one_key),
]

for _model in (All, AnyOf, Not, Certain, AtLeast, Pending, Lasted):
    _model.model_rebuild(_types_namespace={"Condition": Condition})

__all__ = [
    "All",
    "AnyOf",
    "AtLeast",
    "Certain",
    "Check",
    "Compare",
    "Condition",
    "Decide",
    "DoseGiven",
    "Elapsed",
    "Fell",
    "Lasted",
    "Node",
    "Not",
    "Pending",
    "Persistent",
    "Present",
    "Reached",
    "Running",
    "Setting",
    "Stands",
    "Stayed",
    "Stopped",
    "Sustained",
    "Use",
]
