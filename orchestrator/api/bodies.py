"""What programs send: JSON of exactly these fields, read strictly."""

import json
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from django.http import HttpRequest
from ninja.parser import Parser
from pydantic import BaseModel, ConfigDict, Field, field_validator

from agents.errors import InvalidInput
from agents.events.digests import WHOLE
from agents.lifecycle import Risk
from agents.selectors.approvals import Age
from agents.selectors.decisions import By, Outcome
from agents.storable import is_storable
from orchestrator.statuses import Malformed

MOST_PER_PAGE = 100
USUAL_PER_PAGE = 50
MOST = 2.0**63  # of a number
LONGEST_KEY = 100  # characters that name the press of a button
LONGEST_REASON = 10_000
LONGEST_NAME = 200

Version = Annotated[int, Field(strict=True, ge=1, lt=2**31, description="The version that you saw.")]
Key = Annotated[
    str, Field(max_length=LONGEST_KEY, description="Names this attempt: the same decision again changes nothing.")
]
Name = Annotated[str, Field(max_length=LONGEST_NAME)]
Reason = Annotated[str, Field(max_length=LONGEST_REASON)]


class Body(BaseModel):
    """Refuses fields that it does not know: a typing error must not become another decision."""

    model_config = ConfigDict(extra="forbid")


class Decide(Body):
    """A decision. Numbers stay numbers: `arguments` and `answer` are kept as they are sent."""

    verdict: Literal["approve", "reject", "respond", "again", "done", "stop"]
    version: Version
    arguments: dict[str, Any] | None = Field(None, description="All of them, changed; without: as they were proposed.")
    reason: Reason = Field("", description="Read by the agent. A rejection needs one; with respond, your words.")
    tool: Name = Field("", description="To be called in place of the one that was asked for.")
    answer: Any = Field(None, description="To an open question; it fits `answer_schema`.")
    key: Key = ""


class Wanted(Body):
    """A request, and the version that was seen."""

    id: UUID
    version: Version


class DecideMany(Body):
    """One decision about up to 500 requests, each as it was proposed."""

    requests: list[Wanted]
    verdict: Literal["approve", "reject"]
    reason: Reason = ""
    key: Key = ""

    @field_validator("requests")
    @classmethod
    def _once_each(cls, requests: list[Wanted]) -> list[Wanted]:
        if len({one.id for one in requests}) < len(requests):
            raise ValueError("A request stands twice")
        return requests


class Assign(Body):
    """For whom a request is: for all who have a role, or for one of them."""

    role: Literal["approver", "admin"]
    to: UUID | None = None


class Listed(Body):
    """Which requests of a project are listed: those that fit every filter."""

    project: UUID
    who: Literal["me", "mine"] | None = Field(None, description="me: asked by name; mine: my missions ask.")
    risk: Risk | None = None
    tool: Name | None = None
    agent: Name | None = Field(None, description="The type of the agent that asks.")
    limit: int = Field(USUAL_PER_PAGE, ge=1, le=MOST_PER_PAGE)
    cursor: str = Field("", max_length=500, description="`next` of the page before.")

    def filters(self) -> dict[str, str]:
        """As an address has them. Raises InvalidInput."""
        given = self.model_dump(exclude={"project", "limit", "cursor"}, exclude_none=True)
        if bad := [name for name, value in given.items() if not is_storable(value)]:
            raise InvalidInput(fields=dict.fromkeys(bad, "It has a character that cannot be stored."))
        return given


class Asked(Listed):
    """Which open requests are listed, the most urgent first."""

    age: Age | None = Field(None, description="At least so old.")
    due: Literal["soon"] | None = Field(None, description="Within the hour.")


class AskedDecided(Listed):
    """Which decided requests are listed, the newest decision first."""

    outcome: Outcome | None = None
    by: By | None = Field(None, description="me: you; person: anybody; or what decided by itself.")
    age: Age | None = Field(None, description="Decided at least so long ago.")


class StrictParser(Parser):
    """Reads only JSON that comes back from the database as it was sent."""

    def parse_body(self, request: HttpRequest) -> Any:
        """The value. Raises Malformed, or InvalidInput for texts that cannot be stored."""
        value = read(request.body)
        bad = [name for name, part in value.items() if not is_storable(part)] if isinstance(value, dict) else []
        if bad:
            raise InvalidInput(fields=dict.fromkeys(bad, "It has a character that cannot be stored."))
        return value


def read(body: bytes) -> Any:
    """JSON without NaN, numbers that nothing can hold, names that stand twice and depths without end.

    Raises Malformed.
    """
    try:
        value = json.loads(body, parse_constant=_no_constant, parse_float=_number, object_pairs_hook=_once)
        orjson.dumps(value, default=str)  # it refuses whole numbers of more than 64 bits, and what is nested too deep
    except (ValueError, TypeError, RecursionError) as error:
        raise Malformed(f"This is no JSON that can be read: {_words(error)}.") from None
    return value


def _words(error: Exception) -> str:
    return "it is nested too deep" if isinstance(error, RecursionError) else str(error).rstrip(".")


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _number(text: str) -> int | float:
    """A number with a point or an exponent as `jsonb` gives it back, so that its digest stays what it is."""
    number = float(text)
    if abs(number) >= MOST:
        raise ValueError(f"{text[:30]} is too big a number")
    return int(number) if abs(number) >= WHOLE else number + 0.0  # without the sign of nothing


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"“{name[:LONGEST_NAME]}” stands twice")
        found[name] = value
    return found


def key(in_body: str, in_header: str) -> str:
    """What names an attempt, from the body or the header. Raises InvalidInput where they differ, or it is too long."""
    if in_body and in_header and in_body != in_header:
        raise InvalidInput(fields={"key": "The header Idempotency-Key says another one."})
    if len(in_header) > LONGEST_KEY:
        raise InvalidInput(fields={"key": f"Give a key of up to {LONGEST_KEY} characters."})
    return in_body or in_header
