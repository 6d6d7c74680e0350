"""Words for people: measures and missing items by their titles, units as they are spoken of, evidence tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from math import inf
from typing import Final

from rules.catalogue import Catalogue
from rules.instants import format_duration
from rules.pack import Pack
from rules.parameters import Parameter
from rules.quantities import QUANTITIES
from rules.values import number
from rules.view import View

_STRENGTH: Final = {
    "V": "source read",
    "s": "secondary source only",
    "K": "not checked against a source",
    "D": "local setting",
}
_UNITS: Final = (
    (re.compile(r"mm\[Hg\]"), "mmHg"),
    (re.compile(r"cm\[H2O\]"), "cmH2O"),
    (re.compile(r"\bug\b"), "µg"),
    (re.compile(r"\bmg\{PE\}"), "mg PE"),
    (re.compile(r"(?<=\d )Cel\b"), "°C"),
    (re.compile(r"(?<=\d) (?:\[pH\]|\{\w+\})"), ""),
    (re.compile(r"^(\d+(?:\.\d+)?) a$"), r"\1 years"),
)
_PROPER: Final = ("Glasgow", "Strongyloides")
_IDENTIFIER: Final = re.compile(r"\b(?:[a-z]+(?:_[a-z0-9]+)+|[a-z]+o2)\b")
PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_ITEMS: Final = (
    (re.compile(r"repeat (\w+)"), "a second {}"),
    (re.compile(r"(\w+)_salt"), "salt in which {} is given (base or tartrate)"),
    (re.compile(r"(\w+)_rate"), "rate of {}"),
    (re.compile(r"(\w+) (\((?:last|not readable|only) .*\))"), "{} {}"),
)
"""How conditions and quantities name what is missing, and what people call it."""


def strength(tag: str) -> str:
    """An evidence tag in words."""
    return _STRENGTH["s" if tag.startswith("V") and tag.endswith("s") else tag[0]]


def plain(text: str) -> str:
    """Text with its UCUM units as people write them: ``mmHg``, ``µg``."""
    for pattern, words in _UNITS:
        text = pattern.sub(words, text)
    return text


def capital(text: str) -> str:
    """Text with a capital first letter."""
    return text[:1].upper() + text[1:]


@cache
def titles(catalogue: Catalogue) -> dict[str, str]:
    """What drugs, concepts, signals and quantities are called within a sentence, by their names."""
    found = {entry.name: _inside(entry.title) for entry in (*catalogue.drugs, *catalogue.concepts, *catalogue.signals)}
    return {**found, **{name: quantity.title for name, quantity in QUANTITIES.items()}}


def name_identifiers(text: str, catalogue: Catalogue) -> str:
    """Text in which known names, such as ``capillary_refill``, are replaced by their titles."""
    known = titles(catalogue)
    return _IDENTIFIER.sub(lambda match: known.get(match.group(), match.group()), text)


def placeholders(text: str) -> list[str]:
    """The measures and parameters that a pack's wording asks to be filled in."""
    return PLACEHOLDER.findall(text)


def parameter(found: Parameter) -> str:
    """The value of a parameter with its unit, by age where it hangs on that; a duration in words."""
    if found.is_duration:
        return format_duration(found.milliseconds)
    unit = "" if found.unit in (None, "1") else f" {found.unit}"
    if not found.by_age:
        return plain(f"{number(found.number)}{unit}")
    first, *later = found.by_age
    bands = "".join(f", {number(band.value)} from {number(band.from_years)} years" for band in later)
    return plain(f"{number(first.value)}{unit}{bands}")


def with_numbers(text: str, parameters: Mapping[str, Parameter]) -> str:
    """A text with the values of the parameters that it names in braces; other names are left."""
    return PLACEHOLDER.sub(lambda match: parameter(parameters[match[1]]) if match[1] in parameters else match[0], text)


def fill(text: str, view: View) -> str:
    """A text with the present value of the measures that it names in braces."""
    return PLACEHOLDER.sub(lambda match: view.worded(match.group(1)), text)


class Words:
    """The words of a pack for one patient at one instant."""

    def __init__(self, pack: Pack, view: View) -> None:
        self._pack = pack
        self.view = view
        self._stages = {stage.id: stage.title for stage in pack.stages}
        self._shorts = {
            q.short: q.title.partition(" (")[0] for q in QUANTITIES.values() if q.short and not q.stands_for
        }

    def name(self, name: str) -> str:
        """What a measure, therapy, stage or record is called."""
        worded = self._pack.words.get(name)
        if worded is not None:
            return PLACEHOLDER.sub(lambda match: self._number(match.group(1)), worded)
        known = self._stages.get(name) or titles(self.view.catalogue).get(name)
        return known or name.replace("_", " ")

    def item(self, item: str) -> str:
        """What is missing, in words."""
        head, colon, bounds = item.partition(": ")
        if colon:
            return f"{self.item(head)} ({self._spell_out(bounds)})"
        for pattern, form in _ITEMS:
            match = pattern.fullmatch(item)
            if match is not None and item not in titles(self.view.catalogue):
                return form.format(self.name(match[1]), *match.groups()[1:])
        return self._shorts.get(item) or self.name(item)

    def _spell_out(self, bounds: str) -> str:
        short, space, rest = bounds.partition(" ")
        return f"{self._shorts.get(short, short)}{space}{rest}"

    def _number(self, name: str) -> str:
        """The present value of a measure, or the value of a parameter, without its unit; a duration in words."""
        found = self._pack.parameters.get(name)
        if found is not None and found.is_duration:
            return parameter(found)
        if found is not None:
            return " or ".join(number(limit) for limit in self.view.thresholds(name)[0])
        value = self.view.value(name)
        if value.high == inf:
            return "unknown"
        return "-".join(dict.fromkeys(number(round(bound, 1)) for bound in (value.low, value.high)))


def _inside(title: str) -> str:
    """A title as it is written within a sentence."""
    first = title.split(maxsplit=1)[0]
    return (
        title[0].lower() + title[1:] if first[1:2].islower() and first[1:].islower() and first not in _PROPER else title
    )
