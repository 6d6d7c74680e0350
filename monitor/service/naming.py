"""What pathways, stages, reasons and subjects of alerts are called for people."""

from __future__ import annotations

from typing import Final

from monitor.service.models import Judged
from rules import catalogue as catalogues
from rules.bulkhead import MONITOR, NOT_WATCHED, STAGE
from rules.engine import prepare
from rules.outputs import AlertChange, StatusChange
from rules.pack import Pack
from rules.packs.texts import without_values
from rules.pathway import FIX_FIRST, OBTAIN_DATA, REFRACTORY, Pathway
from rules.settings import SiteSettings
from rules.wording import capital, titles

_NOTICES: Final = {FIX_FIRST: "Fix first", OBTAIN_DATA: "Data are missing", NOT_WATCHED: "Not watched"}


_OWN: Final = {MONITOR: "The monitor itself", STAGE: "Fault in the monitor"}
"""What the monitor says of itself comes from no pack."""


class Names:
    """The names of the packs that are loaded.

    Args:
        packs: the pathways that are judged.
        settings: the site's settings.
    """

    def __init__(self, packs: tuple[Pack, ...], settings: SiteSettings) -> None:
        self.pathways: dict[str, Pathway] = {found.pack.id: found for found in prepare(packs, settings).pathways}
        self._words = titles(catalogues.load())

    @property
    def judged(self) -> tuple[Judged, ...]:
        """All pathways."""
        return tuple(Judged(pathway=name, title=found.pack.title) for name, found in self.pathways.items())

    def pack(self, pathway: str) -> Pack | None:
        """The pack of a pathway, unless it is loaded no more."""
        found = self.pathways.get(pathway)
        return None if found is None else found.pack

    def pathway(self, pathway: str) -> str:
        """The title of a pathway."""
        pack = self.pack(pathway)
        return _OWN.get(pathway, pathway) if pack is None else pack.title

    def stage(self, pathway: str, stage: str | None) -> str | None:
        """The title of a stage."""
        pack = self.pack(pathway)
        stages = () if pack is None else pack.stages
        return next((capital(found.title) for found in stages if found.id == stage), _OWN.get(stage or "", stage))

    def subject(self, change: AlertChange) -> str:
        """What an alert is about: a therapy, a failed treatment, something to fix or to find out."""
        if change.subject == REFRACTORY:
            return self.stage(change.pathway, change.stage) or change.subject
        if change.subject in _NOTICES:
            return _NOTICES[change.subject]
        pack = self.pack(change.pathway)
        therapies = () if pack is None else pack.therapies
        return next((capital(found.title) for found in therapies if found.id == change.subject), change.subject)

    def reason(self, verdict: StatusChange, reason: str) -> str:
        """A reason of a verdict: a check that is met, something that is missing, or a doubt."""
        pack = self.pack(verdict.pathway)
        checks = () if pack is None else pack.checks
        title = next((check.title for check in checks if check.id == reason), None)
        words = {} if pack is None else pack.words
        return title or capital(
            without_values(words.get(reason, "")) or self._words.get(reason) or reason.replace("_", " ")
        )
