"""Answers that stand: what a pathway was told at one instant is true until something that it was told from changes.

Each question (a condition that is not made of others) keeps its answer with the channels it was read from and the
instant until which it holds by itself. It is asked again once something in one of these channels has changed, or that
instant has come. Where all answers are still the same, so is the verdict. So judging costs what has changed; without a
trace everything is asked each time, and comes out the same.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation
from rules.timeline import Timeline

Anchors = tuple[tuple[str, int], ...]


class Answer(NamedTuple):
    """What a question came out as, from ``since`` on and before ``until``.

    ``reads`` are the channels it was read from; ``anchors`` are those of the pathway, if it asked for any.
    """

    since: int
    until: int
    evaluation: Evaluation
    reads: frozenset[str]
    anchors: Anchors | None

    def stands(self, at: int, anchors: Anchors) -> bool:
        """Whether it is the answer at an instant, where these anchors are remembered."""
        return self.since <= at < self.until and (self.anchors is None or self.anchors == anchors)


class Course(NamedTuple):
    """What came of asking one question after another: the same again, as long as each answer is.

    Attributes:
        given: what the pathway remembered, before and after.
        outcome: what it came to.
        since, until: when it holds, if the answers do.
        reads: the channels that were read besides those of the questions.
        questions: what was asked, in order.
        answers: what was answered.
        worded: measures whose evidence is part of the outcome, each with its wording.
    """

    given: Any
    outcome: Any
    since: int
    until: int
    reads: frozenset[str]
    questions: tuple[Any, ...]
    answers: tuple[Evaluation, ...]
    worded: tuple[tuple[str, str], ...]


class Trace:
    """The answers that one pathway was given about one patient, and the course they led to."""

    __slots__ = ("_changed", "_former", "answers", "course")

    def __init__(self) -> None:
        self.course: Course | None = None
        self.answers: dict[int, Answer] = {}
        """By question: those from which nothing has changed that they were read from."""
        self._changed: set[str] | None = None
        self._former: int | None = None

    def begin(self, timeline: Timeline, former: int | None) -> None:
        """Forget what was read from what has changed; ``former`` says until when facts are of a former stay."""
        if self._changed is None:
            self._changed = timeline.watch()
        if self._former != former:
            self.course = None
            self.answers.clear()
        elif self._changed:
            unchanged = self._changed.isdisjoint
            self.answers = {key: answer for key, answer in self.answers.items() if unchanged(answer.reads)}
            if self.course is not None and not unchanged(self.course.reads):
                self.course = None
        self._former = former
        self._changed.clear()

    def find(self, question: int, at: int, anchors: Anchors) -> Answer | None:
        """The answer that stands at an instant, or None if the question must be asked."""
        found = self.answers.get(question)
        return found if found is not None and found.stands(at, anchors) else None

    def keep(self, question: int, answer: Answer) -> Answer:
        """Keep an answer; as it is kept, it comes without its evidence."""
        since, until, evaluation, reads, anchors = answer
        kept = self.answers[question] = Answer(since, until, _short(evaluation), shared(reads), anchors)
        return kept


_PLAIN: Final = {truth: Evaluation(truth) for truth in (MET, NOT_MET, UNKNOWN)}


def _short(evaluation: Evaluation) -> Evaluation:
    """What a verdict hangs on: the truth and what is missing, without the evidence."""
    truth, missing = evaluation.truth, evaluation.missing
    return Evaluation(truth, missing=missing) if missing else _PLAIN[truth]


@lru_cache(maxsize=4096)
def shared(reads: frozenset[str]) -> frozenset[str]:
    """The same channels, kept once for all patients."""
    return reads
