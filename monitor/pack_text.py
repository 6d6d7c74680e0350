"""A whole rule pack as text for people, plain or Markdown, with the citation of every number."""

from __future__ import annotations

from collections.abc import Iterator

from rules import catalogue as catalogues
from rules.conditions import Node
from rules.pack import Cited, Deadline, Pack, Reason, Therapy
from rules.packs.texts import with_numbers
from rules.sentences import Sentences
from rules.wording import capital, plain

_INDENT = "  "


class PackText:
    """Writes one pack."""

    def __init__(self, pack: Pack, *, markdown: bool) -> None:
        self._pack = pack = with_numbers(pack)
        self._sentences = Sentences(pack, catalogues.load())
        self._markdown = markdown

    def lines(self) -> Iterator[str]:
        """The pack."""
        pack = self._pack
        yield from self._heading(1, f"{pack.title} ({pack.id} {pack.version})")
        yield from self._item(0, f"for {pack.population}; after {pack.guideline}")
        yield from self._item(0, f"by {', '.join(pack.authors)}; to be reviewed by {pack.review_by}")
        yield from self._pathway()
        yield from self._stages()
        yield from self._checks()
        for therapy in pack.therapies:
            yield from self._therapy(therapy)
        yield from self._numbers()
        if pack.caveats:
            yield from self._heading(2, "Caveats")
            for caveat in pack.caveats:
                yield from self._cited((caveat,))
                yield from self._condition("Said while", caveat.when, 1)
        yield from self._sources()

    def _heading(self, level: int, text: str) -> Iterator[str]:
        if self._markdown:
            if level > 1:
                yield ""
            yield f"{'#' * level} {text}"
            yield ""
            return
        if level > 1:
            yield ""
        yield text
        if level < 3:  # noqa: PLR2004 - only the upper two levels are underlined
            yield ("=" if level == 1 else "-") * len(text)

    def _item(self, depth: int, text: str) -> Iterator[str]:
        yield f"{_INDENT * depth}{'- ' if self._markdown else ''}{text}"

    def _condition(self, title: str, node: Node | None, depth: int = 0) -> Iterator[str]:
        if node is None:
            return
        yield from self._item(depth, title)
        for line in self._sentences.tree(node):
            citations = f" [{' | '.join(line.citations)}]" if line.citations else ""
            yield from self._item(depth + 1 + line.depth, f"{line.text}{citations}")

    def _cited(self, statements: tuple[Cited, ...], depth: int = 0) -> Iterator[str]:
        for cited in statements:
            yield from self._item(
                depth, f"{plain(cited.text)} [{self._sentences.citation(cited.source, cited.strength)}]"
            )

    def _pathway(self) -> Iterator[str]:
        pack = self._pack
        yield from self._heading(2, "Episode")
        for title, node in (
            ("Treatment is recognised to be needed when", pack.recognition),
            ("An episode begins when", pack.onset),
            ("It ends when", pack.resolution),
            ("Another begins after that when", pack.relapse),
            ("It turns out to be something else when", pack.ruled_out),
            ("Changes do not interrupt while", pack.hush),
        ):
            yield from self._condition(title, node)
        for found in pack.inhibit:
            what = "Every suggestion" if found.scope == "therapies" else "Every suggestion and notice"
            yield from self._condition(f"{what} is kept back ({found.cause}) while", found.when)
        goals = ", ".join(goal.replace("_", " ") for goal in pack.no_escalation)
        yield from self._item(0, f"Goals of care that keep suggestions back: {goals or 'none'}")
        priorities = ", ".join(f"{state} {harm.priority}" for state, harm in pack.priorities.items())
        yield from self._item(0, f"Priority of notices: {priorities}")

    def _stages(self) -> Iterator[str]:
        yield from self._heading(2, "Stages")
        for stage in self._pack.stages:
            yield from self._heading(3, f"{stage.id}: {stage.title} ({stage.role} stage)")
            yield from self._condition("It looks so when", stage.pattern)
            yield from self._condition("It is met when", stage.when)
            for hard in stage.hard:
                check = f"Not called so while: {self._pack.check(hard.check).title}"
                yield from self._condition(f"{check}; only mentioned while", hard.unless)
                yield from (
                    self._condition(f"{check}; this counts when", hard.when) if hard.when else self._item(0, check)
                )
            for found in stage.confirm:
                yield from self._condition(f"Confirmed only if (else: {found.otherwise})", found.when)
            yield from self._item(0, "As published")
            yield from self._cited(stage.sources, 1)

    def _checks(self) -> Iterator[str]:
        yield from self._heading(2, "Checks of adequate treatment (met means: it was not adequate)")
        for check in self._pack.checks:
            yield from self._heading(3, f"{capital(check.title)} ({check.kind} check {check.id})")
            yield from self._condition("When", check.when)
            yield from self._item(0, f"What to do: {check.fix}")
            yield from self._item(0, f"[{self._sentences.citation(check.source, check.strength)}]")

    def _therapy(self, therapy: Therapy) -> Iterator[str]:
        yield from self._heading(2, f"Therapy: {therapy.title} ({therapy.id})")
        yield from self._item(0, plain(therapy.suggestion))
        if therapy.elsewhere:
            yield from self._item(0, f"At sites without it: {plain(therapy.elsewhere)}")
        yield from self._condition("To be thought of when", therapy.when)
        yield from self._condition("Only if", therapy.requires)
        yield from self._condition("It is running when", therapy.running)
        for kind, reasons in (("absolute", therapy.absolute), ("relative", therapy.relative)):
            for reason in reasons:
                yield from self._reason(kind, reason, must_know=reason.id in therapy.must_know)
        held = [self._pack.check(name).title for name in therapy.hold_while]
        if held:
            yield from self._item(0, f"Held back while: {'; '.join(held)}")
        yield from self._condition("Not held back while", therapy.hold_unless)
        for titled in therapy.titles:
            yield from self._condition(f"Called '{titled.title}' while", titled.when)
        if therapy.deadline is not None:
            yield from self._deadline(therapy.deadline)
        for rule in therapy.priority:
            title = f"Priority {rule.priority} ({rule.result}, {rule.onset})"
            yield from self._condition(f"{title} when", rule.when) if rule.when else self._item(0, f"{title} otherwise")
        for grade in therapy.grade:
            yield from self._condition(f"Said: {plain(grade.otherwise)} when", grade.when)
        yield from self._item(0, "Evidence")
        yield from self._cited(therapy.evidence, 1)
        if therapy.window:
            yield from self._item(0, f"Window: {therapy.window}")
        yield from self._item(0, f"Monitoring: {therapy.monitoring}")

    def _deadline(self, deadline: Deadline) -> Iterator[str]:
        value, since = self._sentences.value, self._sentences.anchor(deadline.since)
        source = self._sentences.citation(deadline.source, deadline.strength)
        yield from self._item(
            0, f"Its window closes {value(deadline.limit)} after {since}: {deadline.title} [{source}]"
        )
        for lead in deadline.lead:
            title = f"It must be decided {value(lead.time)} before that"
            yield from self._condition(f"{title} when", lead.when) if lead.when else self._item(1, title)
        for extended in deadline.extended:
            yield from self._condition(f"It does not close ({extended.title}) while", extended.when, 1)

    def _reason(self, kind: str, reason: Reason, *, must_know: bool) -> Iterator[str]:
        known = ", must be known" if must_know else ""
        source = self._sentences.citation(reason.source, reason.strength)
        yield from self._condition(f"Against ({kind}{known}): {reason.title} [{source}]", reason.when)

    def _numbers(self) -> Iterator[str]:
        yield from self._heading(2, "Numbers")
        for name, found in self._pack.parameters.items():
            local = ", set by this site" if found.overridden else ""
            source = self._sentences.citation(found.source, found.strength)
            yield from self._item(0, f"{found.title}: {self._sentences.value(name)} ({name}) [{source}{local}]")

    def _sources(self) -> Iterator[str]:
        yield from self._heading(2, "Sources")
        for found in self._pack.sources.values():
            parts = (found.text, found.url, found.note)
            yield from self._item(0, "; ".join(part for part in parts if part))


def summary(pack: Pack) -> str:
    """A pack in one line."""
    return f"{pack.id}  {pack.version}  {pack.title}: {pack.population}; after {pack.guideline}"
