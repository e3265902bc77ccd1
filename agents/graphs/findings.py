"""What agents hand each other: sources, domains, questions, findings, answers; plain data."""

from pydantic import BaseModel, ConfigDict, Field


class Piece(BaseModel):
    """Base of what travels between agents: unknown fields are an error, values never change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Reference(Piece):
    """Something that is kept in the mission, as short as others need it: `detail` is what it is fetched by.

    `size` is that of its JSON, in bytes.
    """

    detail: str = Field(pattern=r"^[0-9a-f]{32}$")
    kind: str
    summary: str
    size: int


class SourceOutline(Piece):
    """A source, as short as a plan needs it."""

    source_id: str
    name: str
    words: int
    headings: tuple[str, ...] = ()


class PassageText(Piece):
    """A passage of a source: what is read, matched and cited."""

    passage_id: str
    source_id: str
    source: str
    heading: str = ""
    page: int | None = None
    text: str
    score: float = Field(0, description="How well it fits what was searched for, 0 to 1.")


class Domain(Piece):
    """A part of the objective that one architect takes."""

    key: str = Field(description="Short and unique in its plan; letters, digits and dashes.")
    title: str
    focus: str = Field(description="What of the objective is to be found out here.")
    source_ids: tuple[str, ...] = ()
    passage_ids: tuple[str, ...] = ()


class Question(Piece):
    """A question that one specialist takes."""

    key: str
    text: str
    domain: str
    passage_ids: tuple[str, ...] = ()


class WorkItem(Piece):
    """A piece of work that one worker takes: read these passages for this question."""

    key: str
    title: str
    question: str
    queries: tuple[str, ...] = Field((), description="What to search the sources for, in words of the question.")
    passage_ids: tuple[str, ...] = ()


class Finding(Piece):
    """A statement that a passage makes and that bears on a question."""

    statement: str
    passage_id: str
    quote: str = Field(description="Words of the passage that carry the statement, exactly as they stand there.")
    relevance: float = Field(ge=0, le=1)


class Reading(Piece):
    """A question and the passages that are read for it."""

    question: str
    passages: tuple[PassageText, ...]


class Citation(Piece):
    """Where a sentence of an answer comes from."""

    number: int = Field(ge=1)
    passage_id: str
    quote: str


class Answer(Piece):
    """The answer to a question. `text` marks citations as [n]."""

    question: str
    text: str
    citations: tuple[Citation, ...] = ()
    confidence: float = Field(ge=0, le=1)
    missing: str = Field("", description="What the sources do not say, in words; empty when nothing is missing.")


class Judgement(Piece):
    """The outcome of a quality gate."""

    passed: bool
    score: float = Field(ge=0, le=1)
    reasons: tuple[str, ...] = ()
    open: tuple[str, ...] = Field((), description="Questions of the objective that no answer answers.")


class Plan(Piece):
    """How an objective is split."""

    approach: str = Field(description="One or two sentences of the queen's own.")
    domains: tuple[Domain, ...]


class Report(Piece):
    """The end of a mission, before it is published."""

    title: str
    summary: str
    answers: tuple[Answer, ...]
    missing: tuple[str, ...] = ()
