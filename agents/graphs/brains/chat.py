"""A brain that asks a chat model, any that LangChain speaks to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import urlsplit

from agents.errors import ModelUnavailable
from agents.graphs.brains import chat_findings
from agents.graphs.brains import chat_material as material
from agents.graphs.brains import chat_prompts as prompts
from agents.graphs.brains import chat_reading as reading
from agents.graphs.brains import chat_replies as replies
from agents.graphs.brains.chat_calls import LONGEST_BACKOFF, Batch, ModelAddress, ModelCalls, Patience, Prices
from agents.graphs.brains.chat_names import OPENAI, check_name, provider_and_model
from agents.graphs.brains.chat_reading import TEXT_LENGTH, TITLE_LENGTH
from agents.graphs.findings import (
    Answer,
    Domain,
    Finding,
    Judgement,
    PassageText,
    Plan,
    Question,
    Reading,
    SourceOutline,
    WorkItem,
)
from agents.graphs.ports import Account, Line, Recall

Result = TypeVar("Result")
Detailed = TypeVar("Detailed", replies.SummariseShape, replies.JudgeShape)

__all__ = ["ChatBrain", "check_name", "connect"]

MOST_QUERIES = 5
MOST_REASONS = 10
MOST_ROUNDS = 3  # of one question, with what the model wants to see in full
MOST_WHOLE = 8  # answers that it gets in full in one round
NOTHING_SAID = "The sources say nothing about this."
NOTHING_ANSWERED = "No question was answered."
KEY_OF_KEYLESS = "none"  # the client wants a key even where a local server does not


class ChatBrain:
    """Thinks with a chat model. What the model says is held to the form, to the limits and to the sources."""

    def __init__(self, name: str, calls: ModelCalls) -> None:
        """`name` is provider:model; `calls` asks that model."""
        self.name = name
        self._calls = calls

    def plan(
        self, objective: str, sources: Sequence[SourceOutline], passages: Sequence[PassageText], *, most: int
    ) -> Plan:
        """Split `objective` into 1 to `most` domains."""
        shown = material.overview(passages)

        def read(reply: replies.PlanShape) -> Plan:
            drafts = reply.domains[:most]
            domains = [
                Domain(
                    key=key,
                    title=reading.line(draft.title, TITLE_LENGTH),
                    focus=reading.line(draft.focus, TEXT_LENGTH),
                    source_ids=_source_ids(draft.sources, sources),
                    passage_ids=_scope(draft, sources, shown, passages),
                )
                for key, draft in zip(reading.keys(draft.title for draft in drafts), drafts, strict=True)
            ]
            return Plan(approach=reading.line(reply.approach, TEXT_LENGTH), domains=tuple(domains))

        pieces = [*material.of_sources(sources), *material.of_passages(shown)]
        left_out = material.names(passages, shown)
        messages = prompts.ask(prompts.PLAN.format(most=most), {"Objective": objective}, pieces, left_out)
        return self._calls.ask("plan", messages, replies.PlanShape, read)

    def split(
        self, objective: str, domain: Domain, passages: Sequence[PassageText], *, most: int
    ) -> Sequence[Question]:
        """Ask 1 to `most` questions that cover `domain`."""
        shown = material.overview(passages)

        def read(reply: replies.SplitShape) -> Sequence[Question]:
            drafts = reply.questions[:most]
            return [
                Question(
                    key=key,
                    text=reading.line(draft.text, TEXT_LENGTH),
                    domain=domain.key,
                    passage_ids=reading.ids(draft.passages, shown),
                )
                for key, draft in zip(reading.keys(draft.text for draft in drafts), drafts, strict=True)
            ]

        told = {"Objective": objective, "Domain": domain.title, "Focus": domain.focus}
        messages = prompts.ask(
            prompts.SPLIT.format(most=most), told, material.of_passages(shown), material.names(passages, shown)
        )
        return self._calls.ask("split", messages, replies.SplitShape, read)

    def analyse(self, question: Question, passages: Sequence[PassageText], *, most: int) -> Sequence[WorkItem]:
        """Split the work on `question` into 1 to `most` pieces; one that names no passage gets all."""
        shown = material.best(passages)
        everything = tuple(passage.passage_id for passage in passages)

        def read(reply: replies.AnalyseShape) -> Sequence[WorkItem]:
            drafts = reply.items[:most]
            return [
                WorkItem(
                    key=key,
                    title=reading.line(draft.title, TITLE_LENGTH),
                    question=reading.line(draft.question, TEXT_LENGTH),
                    queries=_queries(draft.queries),
                    passage_ids=reading.ids(draft.passages, shown) or everything,
                )
                for key, draft in zip(reading.keys(draft.title for draft in drafts), drafts, strict=True)
            ]

        messages = prompts.ask(
            prompts.ANALYSE.format(most=most),
            {"Question": question.text},
            material.of_passages(shown),
            material.names(passages, shown),
        )
        return self._calls.ask("analyse", messages, replies.AnalyseShape, read)

    def extract(self, question: str, passages: Sequence[PassageText]) -> Sequence[Finding]:
        """What `passages` say about `question`, best first.

        The best passages are read first, the rest only if these say nothing. A finding whose quote does not
        stand in its passage is left out.
        """
        for batch in material.batches(passages):
            if findings := self._extract(question, batch, material.names(passages, batch)):
                return findings
        return []

    def _extract(self, question: str, shown: Sequence[PassageText], left_out: Sequence[str]) -> Sequence[Finding]:
        def read(reply: replies.ExtractShape) -> Sequence[Finding]:
            return chat_findings.findings(reply.findings, shown, {passage.passage_id for passage in shown})

        messages = chat_findings.question(question, shown, left_out)
        return self._calls.ask("extract", messages, replies.ExtractShape, read)

    def extract_all(self, readings: Sequence[Reading]) -> Sequence[Sequence[Finding]]:
        """What `extract` finds for each, in as few calls as they fit into. What an answer leaves out is asked alone."""
        found: dict[int, Sequence[Finding] | None] = {}
        for places in material.of_one_call(readings):
            if len(places) > 1:
                found |= zip(places, self._extract_all([readings[place] for place in places]), strict=True)
        return [
            self.extract(reading.question, reading.passages) if (known := found.get(place)) is None else known
            for place, reading in enumerate(readings)
        ]

    def _extract_all(self, readings: Sequence[Reading]) -> Sequence[Sequence[Finding] | None]:
        """The findings for each; None where the answer has none of the task's number."""
        shown = list({passage.passage_id: passage for one in readings for passage in one.passages}.values())

        def read(reply: replies.ExtractAllShape) -> Sequence[Sequence[Finding] | None]:
            drafts = {draft.task: draft.findings for draft in reply.tasks}
            own = [{passage.passage_id for passage in reading.passages} for reading in readings]
            return [
                None if drafts.get(number) is None else chat_findings.findings(drafts[number], shown, only)
                for number, only in enumerate(own, start=1)
            ]

        task = prompts.EXTRACT_ALL.format(most=chat_findings.MOST_FINDINGS)
        pieces = [*material.of_readings(readings, shown), *material.of_passages(shown)]
        messages = prompts.ask(task, {}, pieces)
        alone = sum(prompts.size(chat_findings.question(one.question, one.passages)) for one in readings)
        return self._calls.ask(
            "extract",
            messages,
            replies.ExtractAllShape,
            read,
            batch=Batch(len(readings), alone / prompts.size(messages)),
        )

    def synthesise(self, question: str, findings: Sequence[Finding], passages: Sequence[PassageText]) -> Answer:
        """One cited answer from `findings`. Without any the model is not asked: there is nothing to say."""
        if not findings:
            return Answer(question=question, text=NOTHING_SAID, confidence=0, missing=question)
        shown = material.most_relevant(findings)

        def read(reply: replies.SynthesiseShape) -> Answer:
            text, citations = reading.cited(reply.text, shown)
            if not text or not (citations or reply.missing):
                raise ValueError(f"text: cite the findings by their numbers, from [1] to [{len(shown)}].")
            return Answer(
                question=question,
                text=text,
                citations=citations,
                confidence=reply.confidence if citations else 0,
                missing=reading.line(reply.missing, TEXT_LENGTH),
            )

        left_out = [reading.line(finding.statement, TITLE_LENGTH) for finding in findings if finding not in shown]
        pieces = material.of_findings(shown, passages)
        messages = prompts.ask(prompts.SYNTHESISE, {"Question": question}, pieces, left_out)
        return self._calls.ask("synthesise", messages, replies.SynthesiseShape, read)

    def summarise(self, objective: str, title: str, answers: Sequence[Answer]) -> str:
        """A few sentences over `answers`."""
        if not answers:
            return NOTHING_ANSWERED
        told = {"Objective": objective, "Title": title}

        def read(reply: replies.SummariseShape) -> str:
            return reading.without_marks(reply.summary)

        return self._ask_about("summarise", prompts.SUMMARISE, told, answers, replies.SummariseShape, read)

    def judge(self, objective: str, answers: Sequence[Answer]) -> Judgement:
        """The model's judgement, except that an answer that neither cites nor admits a gap never passes."""
        if not answers:
            return Judgement(passed=False, score=0, reasons=(NOTHING_ANSWERED,))
        uncited = [
            f"No source is cited for: {answer.question}"
            for answer in answers
            if not (answer.citations or answer.missing)
        ]

        def read(reply: replies.JudgeShape) -> Judgement:
            reasons = (reading.line(reason, TEXT_LENGTH) for reason in reply.reasons[:MOST_REASONS])
            return Judgement(
                passed=reply.passed and not uncited,
                score=reply.score,
                reasons=(*uncited, *filter(None, reasons)),
            )

        told = {"Objective": objective}
        return self._ask_about("judge", prompts.JUDGE, told, answers, replies.JudgeShape, read)

    def _ask_about(
        self,
        purpose: str,
        task: str,
        told: Mapping[str, str],
        answers: Sequence[Answer],
        shape: type[Detailed],
        read: Callable[[Detailed], Result],
    ) -> Result:
        """Ask about answers, which are shortened where they are many; again with those that the model wants in full."""
        whole: set[int] = set()
        for rounds_left in reversed(range(MOST_ROUNDS)):
            pieces = material.of_answers(answers, whole)
            shortened = {piece["answer"] for piece in pieces if "shortened" in piece} - whole
            offer = f"\n{prompts.DETAILS}" if rounds_left and shortened else ""
            messages = prompts.ask(f"{task}{offer}", told, pieces)
            result, wanted = self._calls.ask(purpose, messages, shape, lambda reply: (read(reply), reply.details))
            fresh = [number for number in dict.fromkeys(wanted) if number in shortened][:MOST_WHOLE]
            if not (offer and fresh):
                break
            whole.update(fresh)
        return result


def connect(
    *,
    name: str,
    base_url: str,
    api_key: str,
    timeout: float,
    retries: int,
    input_price: Decimal,
    output_price: Decimal,
    account: Account,
    line: Line,
    recall: Recall | None = None,
    temperature: float | None = None,
    backoff: float = 0.5,
    longest: float = LONGEST_BACKOFF,
) -> ChatBrain:
    """The brain that thinks with the model `name`, a provider:model. No request is made yet.

    `timeout` is seconds for one try and `retries` the further tries after a passing fault; prices are dollars
    for a million tokens; `backoff` is the most seconds before the first further try, `longest` those of all pauses.
    Raises ModelUnavailable where the model cannot be spoken to at all.
    """
    from langchain.chat_models import init_chat_model

    provider, model_name = provider_and_model(name)
    options: dict[str, Any] = {"timeout": timeout, "max_retries": 0}
    if temperature is not None:
        options["temperature"] = temperature
    if base_url:
        options["base_url"] = base_url
    if api_key or (base_url and provider == OPENAI):
        options["api_key"] = api_key or KEY_OF_KEYLESS
    try:
        address = ModelAddress(name, _place(base_url) or provider, api_key)
        model = init_chat_model(model_name, model_provider=provider, **options)
    except Exception as error:  # noqa: BLE001 - each provider's package raises errors of its own
        what = str(error).strip().split("\n")[0]
        if api_key:
            what = what.replace(api_key, "…")
        raise ModelUnavailable(f"The model {name} cannot be used: {what}") from None
    calls = ModelCalls(
        model,
        address=address,
        patience=Patience(timeout, retries, backoff, longest),
        prices=Prices(input_price, output_price),
        account=account,
        line=line,
        recall=recall,
    )
    return ChatBrain(name, calls)


def _place(base_url: str) -> str:
    """`base_url` without the name and password that it may hold."""
    parts = urlsplit(base_url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _source_ids(numbers: Iterable[int], sources: Sequence[SourceOutline]) -> tuple[str, ...]:
    known = (sources[number - 1].source_id for number in numbers if 1 <= number <= len(sources))
    return tuple(dict.fromkeys(known))


def _scope(
    draft: replies.DomainShape,
    sources: Sequence[SourceOutline],
    shown: Sequence[PassageText],
    passages: Sequence[PassageText],
) -> tuple[str, ...]:
    """A domain's passages: those that the model named, then the rest of its sources; else all."""
    named = reading.ids(draft.passages, shown)
    chosen = set(_source_ids(draft.sources, sources))
    others = tuple(passage.passage_id for passage in passages if passage.source_id in chosen)
    return tuple(dict.fromkeys(named + others)) or tuple(passage.passage_id for passage in passages)


def _queries(drafts: Iterable[str]) -> tuple[str, ...]:
    lines = (reading.line(query, TEXT_LENGTH) for query in drafts)
    return tuple(dict.fromkeys(filter(None, lines)))[:MOST_QUERIES]
