"""Site settings: what only the hospital can know. Nothing here has a clinical default; unset means unknown."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError


class SettingsError(ValueError):
    """A settings file that cannot be used; the text names the file, the key and the reason."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Capability(_Frozen):
    """What this site can do itself; None where nobody has said."""

    ecmo_va: bool | None = None
    ecmo_vv: bool | None = None
    ecpr: bool | None = None
    ecpr_lead_time: Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(hours=24))] | None = None
    ketogenic_team: bool | None = None


class EscalationStep(_Frozen):
    """Whom to ask next, and how long after the alert interrupted if nobody has answered by then."""

    role: Annotated[str, Field(min_length=1, max_length=80)]
    after: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(hours=24))]


def _in_order(steps: tuple[EscalationStep, ...]) -> tuple[EscalationStep, ...]:
    if any(later.after <= step.after for step, later in pairwise(steps)):
        raise ValueError("each step must come after the one before it")
    return steps


Escalation = Annotated[tuple[EscalationStep, ...], AfterValidator(_in_order)]


class Flapping(_Frozen):
    """From when on an alert that keeps coming back is damped: so many ``returns`` ``within`` a time (local setting)."""

    returns: Annotated[int, Field(ge=2, le=100)] = 4
    within: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(hours=24))] = timedelta(hours=2)


class SiteSettings(_Frozen):
    """Settings of one site.

    Attributes:
        norepinephrine_salt: the salt in which pumps state norepinephrine; unset makes every dose an interval.
        guideline_profile: which edition decides when a steroid is suggested.
        rss_basis: whether "norepinephrine > 0.5" means norepinephrine equivalents or norepinephrine alone;
            ``both`` keeps the question open: where the two disagree the verdict is SUSPECTED.
        strict_fluid: whether refractory shock demands a negative dynamic test of fluid responsiveness.
        lateness: how far out of order of ``received_at`` messages may be delivered; decisions wait that long.
        rate_holds: how long the rate of an infusion counts without being confirmed; where a chart keeps to a longer
            interval, for that, up to one and a half times as long.
        future_skew: how far ``effective_at`` may lie after ``received_at`` before a message is refused.
        escalation: by the priority of an alert that interrupts, who is asked in turn while nobody answers; without a
            policy nobody else is asked. An alert keeps the policy under which it interrupted.
        flapping: what came back so often in that time interrupts only once in it; the interruption is delayed, not left
            out.
        overrides: local values of pack parameters, by pack id and parameter name, in the parameter's own unit.
    """

    norepinephrine_salt: Literal["base", "tartrate", "bitartrate"] | None = None
    guideline_profile: Literal["ssc2021", "ssc2026"] = "ssc2026"
    rss_basis: Literal["nee", "ne_only", "both"] = "nee"
    strict_fluid: bool = False
    capability: Capability = Capability()
    lateness: Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(minutes=10))] = timedelta(seconds=5)
    rate_holds: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(hours=6))] = timedelta(minutes=60)
    future_skew: Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(hours=1))] = timedelta(seconds=60)
    escalation: dict[Literal["HIGH", "MEDIUM"], Escalation] = {}
    flapping: Flapping = Flapping()
    overrides: dict[str, dict[str, float | str]] = {}

    @classmethod
    def from_file(cls, path: Path) -> SiteSettings:
        """Read a YAML file.

        Raises:
            SettingsError: naming the file, the key and the reason.
        """
        try:
            return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
        except OSError as error:
            msg = f"{path}: {error.strerror}"
        except UnicodeDecodeError:
            msg = f"{path}: not UTF-8 text"
        except yaml.YAMLError as error:
            msg = f"{path}: not YAML: {error}"
        except ValidationError as error:
            details = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors(include_url=False)]
            msg = f"{path}: " + "; ".join(details)
        raise SettingsError(msg)


def settings_digest(settings: SiteSettings) -> str:
    """A digest of the settings, so that a state is not continued under others."""
    return hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:16]
