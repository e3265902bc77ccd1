"""One question to a chat model over a line that may fail: tries, dialects, repair, time bound, account."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from agents.errors import DomainError, ModelMisbehaved, ModelUnavailable
from agents.graphs.brains.chat_faults import ADVICE, DOWN, MISBEHAVIOUR, PASSING, Fault, Kind, fault_of
from agents.graphs.brains.chat_prompts import Message
from agents.graphs.ports import Account, Call, Line, Recall, Usage

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage

Reply = TypeVar("Reply", bound=BaseModel)
Result = TypeVar("Result")

LONGEST_BACKOFF = 30.0  # seconds
LONGEST_DETAIL = 300  # characters of an error
LONGEST_REPLY = 200_000  # characters that are searched for JSON
MOST_STARTS = 200  # of objects in one reply: each costs time in proportion to the reply
REPAIR_SHOWS = 4_000  # characters of an answer that did not fit


class Dialect(StrEnum):
    """How a model is asked for a shape, the most widely spoken first; the last one every model speaks."""

    TOOL = "function_calling"
    SCHEMA = "json_schema"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Patience:
    """`timeout`: seconds for one try; all tries and waits of a call share `timeout` times their number.

    `retries`: further tries after a passing fault; `backoff`: the most seconds before the first of them, then doubled;
    `longest`: seconds of all pauses together.
    """

    timeout: float
    retries: int
    backoff: float
    longest: float = LONGEST_BACKOFF

    @property
    def total(self) -> float:
        """Seconds that a call may take in all."""
        return self.timeout * (self.retries + 1)

    def wait(self, failures: int, fault: Fault) -> float:
        """Seconds before the next try, after `failures` failed ones: never less than the server asked for.

        Full jitter: many agents that failed at once are spread over the whole pause.
        """
        if fault.kind is Kind.MISFIT:
            return 0
        longest = min(self.backoff * 2.0 ** (failures - 1), LONGEST_BACKOFF)
        return fault.wait + random.uniform(0, longest)  # noqa: S311 - spreads the tries, hides nothing


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars for a million tokens."""

    input: Decimal
    output: Decimal

    def cost(self, input_tokens: int, output_tokens: int) -> Decimal:
        """Dollars, exact."""
        return (self.input * input_tokens + self.output * output_tokens).scaleb(-6)


@dataclass(frozen=True, slots=True)
class Batch:
    """A call for so many tasks. One for each would have had `times` as many tokens to read."""

    tasks: int = 1
    times: float = 1.0


ALONE = Batch()


@dataclass(slots=True)
class Tally:
    """What the tries of one call took so far. A server that reports no usage adds no tokens."""

    tries: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def add(self, usage: Mapping[str, Any] | None) -> None:
        """Add the usage that an answer reports."""
        if usage:
            self.input_tokens += usage["input_tokens"]
            self.output_tokens += usage["output_tokens"]


@dataclass(frozen=True, slots=True)
class Understood(Generic[Result]):
    """What was made of a reply, and the reply as data."""

    result: Result
    reply: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ModelAddress:
    """Which model is asked, as errors and accounts name it. `secret` is kept out of every text."""

    name: str
    place: str
    secret: str


class ModelCalls:
    """Asks one model, again where that may help, and charges what it took."""

    def __init__(
        self,
        model: BaseChatModel,
        *,
        address: ModelAddress,
        patience: Patience,
        prices: Prices,
        account: Account,
        line: Line,
        recall: Recall | None = None,
    ) -> None:
        """`model` must not retry by itself, or tries are not counted."""
        self._model = model
        self._address = address
        self._patience = patience
        self._prices = prices
        self._account = account
        self._line = line
        self._recall = recall
        self._dialects = list(Dialect)

    def ask(
        self,
        purpose: str,
        messages: Sequence[Message],
        shape: type[Reply],
        read: Callable[[Reply], Result],
        batch: Batch = ALONE,
    ) -> Result:
        """What `read` makes of the model's answer in `shape`; its ValueError asks the model to mend it.

        Raises ModelUnavailable or ModelMisbehaved when no try brought an answer. Charged either way.
        """
        asked = {"place": self._address.place, "messages": [list(one) for one in messages], "schema": _schema(shape)}
        if self._recall and (kept := self._recall.find(self._address.name, purpose, asked)) is not None:
            with suppress(ValueError):  # the form has changed since: ask anew
                return read(shape.model_validate(kept))
        with self._line.calling(asked) as call:
            return self._charged(call, purpose, messages, shape, read, asked, batch)

    def _charged(
        self,
        call: Call,
        purpose: str,
        messages: Sequence[Message],
        shape: type[Reply],
        read: Callable[[Reply], Result],
        asked: dict[str, Any],
        batch: Batch,
    ) -> Result:
        tally = Tally()
        started = time.monotonic()
        understood: Understood[Result] | None = None
        try:
            understood = self._converse(call, messages, shape, read, tally)
            return understood.result
        finally:
            usage = self._usage(purpose, tally, time.monotonic() - started, batch if understood else ALONE)
            if tally.tries:
                self._account.charge(usage)
            if self._recall and understood:
                self._recall.keep(self._address.name, asked, understood.reply, usage)

    def _usage(self, purpose: str, tally: Tally, seconds: float, batch: Batch) -> Usage:
        spared = max(0, round(tally.input_tokens / max(tally.tries, 1) * (batch.times - 1)))
        return Usage(
            model=self._address.name,
            purpose=purpose,
            input_tokens=tally.input_tokens,
            output_tokens=tally.output_tokens,
            cost=f"{self._prices.cost(tally.input_tokens, tally.output_tokens):f}",
            tries=tally.tries,
            duration_ms=round(seconds * 1000),
            tasks=batch.tasks,
            saved_tokens=spared,
            saved_cost=f"{self._prices.cost(spared, 0):f}",
        )

    def _converse(
        self,
        call: Call,
        messages: Sequence[Message],
        shape: type[Reply],
        read: Callable[[Reply], Result],
        tally: Tally,
    ) -> Understood[Result]:
        deadline = time.monotonic() + self._patience.total
        rested = call.earlier.rested
        schema = _schema(shape)
        known = self._dialects
        repair: list[Message] = []
        failures = call.earlier.tries
        while True:
            dialect = self._dialects[0]
            try:
                answer = self._send(call, [*messages, *repair], schema, dialect, tally, deadline)
                return _understand(answer, dialect, shape, read)
            except Fault as fault:
                if self._drop(dialect, fault) and fault.kind is Kind.REFUSED:
                    continue
                failures += 1
                wait = self._patience.wait(failures, fault)
                rested += wait
                in_time = rested <= self._patience.longest and time.monotonic() + wait < deadline
                if not (in_time and fault.kind in PASSING and failures <= self._patience.retries):
                    if fault.kind is Kind.REFUSED:  # in every dialect, so it was none's fault
                        self._dialects = known
                    raise self._error(fault, call.earlier.tries + tally.tries) from None
                if fault.said is not None:
                    repair = _mend(fault, schema)
                reason = f"The model {fault.kind}"
            call.rest(wait, failures + 1, reason)

    def _drop(self, dialect: Dialect, fault: Fault) -> bool:
        """Stop using `dialect` where `fault` says that the server does not know it; True if that was done."""
        if len(self._dialects) == 1 or not (fault.kind is Kind.REFUSED or fault.unspoken):
            return False
        self._dialects = [other for other in self._dialects if other is not dialect]
        return True

    def _send(
        self,
        call: Call,
        messages: Sequence[Message],
        schema: Mapping[str, Any],
        dialect: Dialect,
        tally: Tally,
        deadline: float,
    ) -> AIMessage:
        with call.passing() as passage:
            tally.tries += 1
            seconds = max(0.0, min(self._patience.timeout, deadline - time.monotonic()))
            try:
                answer = within(seconds, lambda: self._invoke(messages, schema, dialect))
            except Exception as error:  # noqa: BLE001 - each provider's package raises errors of its own
                tally.add(_usage_of(error))
                fault = fault_of(error)
                passage.failed(str(fault.kind)) if fault.kind in DOWN else passage.worked()
                raise fault from None
            passage.worked()
            tally.add(answer.usage_metadata)
            return answer

    def _invoke(self, messages: Sequence[Message], schema: Mapping[str, Any], dialect: Dialect) -> AIMessage:
        if dialect is Dialect.TEXT:
            (role, rules), *rest = messages
            return self._model.invoke([(role, f"{rules}\n\n{_wanted(schema)}"), *rest])
        asked = self._model.with_structured_output(dict(schema), method=dialect.value, include_raw=True)
        answer: AIMessage = asked.invoke(list(messages))["raw"]  # type: ignore[index]  # include_raw: a dict
        return answer

    def _error(self, fault: Fault, tries: int) -> DomainError:
        kind = ModelMisbehaved if fault.kind in MISBEHAVIOUR else ModelUnavailable
        what = self._without_secret(str(fault))[:LONGEST_DETAIL]
        times = f", after {tries} tries" if tries > 1 else ""
        asked = f" The server asks to wait {fault.wait:.0f} s." if fault.wait else ""
        model = f"{self._address.name} at {self._address.place}"
        return kind(f"The model {model} {what}{times}.{asked} {ADVICE[fault.kind]}")

    def _without_secret(self, text: str) -> str:
        return text.replace(self._address.secret, "…") if self._address.secret else text


def within(seconds: float, work: Callable[[], Result]) -> Result:
    """The result of `work`, or TimeoutError after `seconds`.

    A client's own time-out starts anew with each byte, so a server that trickles would hold its caller for
    ever. The thread that is left behind ends with its connection, at the latest with the process.
    """
    outcomes: SimpleQueue[tuple[Result | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            outcomes.put((work(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
            outcomes.put((None, error))

    Thread(target=copy_context().run, args=(run,), daemon=True).start()
    try:
        result, error = outcomes.get(timeout=seconds)
    except Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # without an error it is work's


def _usage_of(error: Exception) -> Mapping[str, int] | None:
    """The usage of an answer that OpenAI's client refuses to hand out because it was cut short."""
    usage = getattr(getattr(error, "completion", None), "usage", None)
    if usage is None:
        return None
    return {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}


def _schema(shape: type[BaseModel]) -> Mapping[str, Any]:
    """The JSON schema of `shape` without references, which not every server can follow."""
    from langchain_core.utils.json_schema import dereference_refs

    flat = dereference_refs(shape.model_json_schema())
    return {name: value for name, value in flat.items() if name != "$defs"}


def _wanted(schema: Mapping[str, Any]) -> str:
    return f"Answer with one JSON object and nothing else. It must fit this JSON schema:\n{json.dumps(schema)}"


def _mend(fault: Fault, schema: Mapping[str, Any]) -> list[Message]:
    """The turns that show a model what was wrong with its answer."""
    return [
        ("ai", (fault.said or "")[:REPAIR_SHOWS] or "{}"),
        ("human", f"That answer does not fit. {fault.detail}\n{_wanted(schema)}"),
    ]


def _understand(
    answer: AIMessage, dialect: Dialect, shape: type[Reply], read: Callable[[Reply], Result]
) -> Understood[Result]:
    if answer.tool_calls:
        data: Any = answer.tool_calls[0]["args"]
        said = json.dumps(data)
    else:
        broken_call = next((call["args"] for call in answer.invalid_tool_calls), None)
        said = broken_call or str(answer.text)
        data = json_object(said)
    unspoken = dialect is not Dialect.TEXT and data is None
    if data is None:
        raise Fault(Kind.MISFIT, "It holds no JSON object.", said=said, unspoken=unspoken)
    try:
        return Understood(read(shape.model_validate(data)), data)
    except ValidationError as error:
        raise Fault(Kind.MISFIT, _complaints(error), said=said) from None
    except ValueError as error:
        raise Fault(Kind.MISFIT, str(error), said=said) from None


def _complaints(error: ValidationError) -> str:
    """What is wrong and where, without the values: they are the model's words."""
    complaints = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in complaints[:5])


def json_object(text: str) -> dict[str, Any] | None:
    """The longest JSON object that stands in `text`, bare, in a Markdown fence or among words, or None."""
    decoder = json.JSONDecoder()
    text = text[:LONGEST_REPLY]
    found: tuple[int, dict[str, Any] | None] = (0, None)
    end = 0
    for _ in range(MOST_STARTS):
        start = text.find("{", end)
        if start < 0:
            break
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            found = max(found, (end - start, value), key=lambda each: each[0])
    return found[1]
