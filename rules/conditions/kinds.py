"""The kinds of conditions, by the key under which a pack writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from rules.conditions.node import Node


def kinds() -> dict[str, type[Node]]:
    """The model of every kind of condition."""
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in _concrete(Node)}


def _concrete(model: type[Node]) -> Iterator[type[Node]]:
    for found in model.__subclasses__():
        if "type" in found.model_fields:
            yield found
        yield from _concrete(found)
