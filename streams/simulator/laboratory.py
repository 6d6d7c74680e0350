"""What is measured by hand or in a laboratory: panels, how late their results are, and results that are put right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from streams.simulator.bed import Bed, Instrument
from streams.simulator.course import MINUTE, Sampling, moment
from streams.simulator.instruments import observed


@dataclass(frozen=True, slots=True)
class Panel:
    """Values measured together: from where, with code and unit of each, and how late in minutes.

    ``strays`` is the part of results that come hours late, ``wrong`` the part first reported wrong: the first value is
    then ``error`` times what it is, and is corrected later. ``spread`` is the imprecision as a part of the value.
    """

    source: str
    method: str
    late: tuple[float, float]
    values: tuple[tuple[str, str, int], ...]
    strays: float = 0.0
    wrong: float = 0.0
    error: float = 1.0
    spread: float = 0.01


PANELS: Final = {
    # Blood gas analyser on the ward: 2 to 5 minutes (dossier).
    "gas": Panel(
        "analyser",
        "point-of-care",
        (2, 5),
        (
            ("lactate", "mmol/L", 1),
            ("pao2", "mm[Hg]", 0),
            ("paco2", "mm[Hg]", 0),
            ("ph", "[pH]", 2),
            ("potassium", "mmol/L", 1),
            ("glucose", "mmol/L", 1),
            ("ionised_calcium", "mmol/L", 2),
        ),
        wrong=0.01,
        error=1.6,
        spread=0.0,
    ),
    # Central laboratory: 30 to 90 minutes (dossier); a stray sample comes hours late, a haemolysed one is corrected.
    "chemistry": Panel(
        "laboratory",
        "laboratory",
        (30, 60),
        (
            ("potassium", "mmol/L", 1),
            ("sodium", "mmol/L", 0),
            ("creatinine", "mg/dL", 2),
            ("bilirubin", "mg/dL", 1),
            ("platelets", "10*9/L", 0),
            ("haemoglobin", "g/dL", 1),
            ("glucose", "mmol/L", 1),
            ("lactate", "mmol/L", 1),
        ),
        strays=0.05,
        wrong=0.03,
        error=1.5,
    ),
    "diet": Panel(
        "laboratory",
        "laboratory",
        (30, 60),
        (
            ("lipase", "U/L", 0),
            ("triglycerides", "mmol/L", 1),
            ("bicarbonate", "mmol/L", 0),
            ("beta_hydroxybutyrate", "mmol/L", 1),
        ),
        strays=0.05,
    ),
    "observations": Panel("chart", "charted", (0, 6), (("temperature", "Cel", 1), ("urine_output", "mL", 0))),
    "neurology": Panel("chart", "charted", (0, 6), (("gcs", "{score}", 0),), spread=0.0),
    "refill": Panel("chart", "charted", (0, 3), (("capillary_refill", "s", 1),), spread=0.03),
    "plateau": Panel("chart", "charted", (0, 4), (("plateau_pressure", "cm[H2O]", 0),), spread=0.01),
    "room_air": Panel("chart", "charted", (0, 4), (("fio2", "1", 2),), spread=0.0),
}
"""What can be sampled; the values come from the body."""

_STRAY: Final = (120, 180)
_CORRECTED: Final = (20, 45)
"""Minutes from a wrong result to its correction."""


def sampler(sampling: Sampling, number: int) -> Instrument:
    """Somebody who takes a panel again and again; ``number`` tells samplers of one bed apart."""
    panel = PANELS[sampling.panel]

    def run(bed: Bed) -> Iterator[int]:
        chance = bed.chance(f"sampler {number}")
        planned, every = moment(sampling.begin) + bed.shift, moment(sampling.every)
        while True:
            now = planned + round(chance.uniform(-1.0, 1.0) * sampling.loose * every)
            yield now
            if not bed.body.attached:
                return
            if bed.body.circulation:
                _report(bed, panel, now, chance)
            planned += every

    return run


def _report(bed: Bed, panel: Panel, now: int, chance: Random) -> None:
    values = [
        (name, round(bed.body.sample(name) * (1 + chance.gauss(0.0, panel.spread)), digits), unit)
        for name, unit, digits in panel.values
    ]
    arrives = now + round(chance.uniform(*(_STRAY if chance.random() < panel.strays else panel.late)) * MINUTE)
    method = f'","method":"{panel.method}"}}'
    if chance.random() >= panel.wrong:
        bed.send(panel.source, now, arrives, observed(values).replace('"}', method))
        return
    name, value, unit = values[0]
    wrong = [(name, round(value * panel.error, 1), unit), *values[1:]]
    first = bed.send(panel.source, now, arrives, observed(wrong).replace('"}', method))
    more = f'"status":"corrected","corrects":"{first}",'
    later = arrives + round(chance.uniform(*_CORRECTED) * MINUTE)
    bed.send(panel.source, now, later, observed(values).replace('"}', method), more=more)
