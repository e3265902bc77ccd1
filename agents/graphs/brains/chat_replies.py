"""The shapes that a chat model answers in. They hold numbers and words, never ids: those are ours."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_UNFIT = dict.fromkeys({*range(32), *range(127, 160)} - set(map(ord, "\t\n\r")))


def _clean(value: object) -> object:
    """Text without what PostgreSQL or UTF-8 cannot hold or nobody can see: control signs, halves of pairs."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "ignore").decode().translate(_UNFIT).strip()


def _clamp(value: float) -> float:
    return min(1.0, max(0.0, value))


Words = Annotated[str, BeforeValidator(_clean)]
SomeWords = Annotated[str, BeforeValidator(_clean), Field(min_length=1)]
Share = Annotated[float, AfterValidator(_clamp), Field(allow_inf_nan=False, description="A number from 0 to 1.")]
Numbers = Annotated[list[int], Field(default_factory=list)]


class Shape(BaseModel):
    """Base of what a model answers: what it adds is ignored."""

    model_config = ConfigDict(extra="ignore")


class DomainShape(Shape):
    """One domain."""

    title: SomeWords
    focus: SomeWords
    sources: Numbers
    passages: Numbers


class PlanShape(Shape):
    """The plan."""

    model_config = ConfigDict(title="plan")

    approach: Words = ""
    domains: list[DomainShape] = Field(min_length=1)


class QuestionShape(Shape):
    """One question."""

    text: SomeWords
    passages: Numbers


class SplitShape(Shape):
    """The questions of a domain."""

    model_config = ConfigDict(title="split")

    questions: list[QuestionShape] = Field(min_length=1)


class ItemShape(Shape):
    """One piece of work."""

    title: SomeWords
    question: SomeWords
    queries: list[Words] = Field(default_factory=list)
    passages: Numbers


class AnalyseShape(Shape):
    """The pieces of work for a question."""

    model_config = ConfigDict(title="analyse")

    items: list[ItemShape] = Field(min_length=1)


class FindingShape(Shape):
    """One finding."""

    statement: SomeWords
    passage: int
    quote: Words = ""
    relevance: Share


class ExtractShape(Shape):
    """The findings of some passages."""

    model_config = ConfigDict(title="extract")

    findings: list[FindingShape]


class TaskShape(Shape):
    """The findings for one task."""

    task: int
    findings: list[FindingShape]


class ExtractAllShape(Shape):
    """The findings of some passages for several tasks."""

    model_config = ConfigDict(title="extractall")

    tasks: list[TaskShape]


class SynthesiseShape(Shape):
    """The answer to a question."""

    model_config = ConfigDict(title="synthesise")

    text: SomeWords
    confidence: Share
    missing: Words = ""


class SummariseShape(Shape):
    """The summary."""

    model_config = ConfigDict(title="summarise")

    summary: SomeWords
    details: Numbers


class JudgeShape(Shape):
    """The judgement."""

    model_config = ConfigDict(title="judge")

    passed: bool
    score: Share
    reasons: list[Words] = Field(default_factory=list)
    details: Numbers
