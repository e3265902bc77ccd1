"""What a tool is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from agents.errors import InvalidInput
from agents.lifecycle import Policy, Reversal, Risk
from agents.storable import fault_of


class Arguments(BaseModel):
    """Base of a tool's arguments: unknown ones are an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


ArgumentsT = TypeVar("ArgumentsT", bound=Arguments)


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf a tool runs. `mission_id` is the mission whose sources it may read."""

    project_id: UUID
    project_slug: str
    mission_id: UUID
    session_id: UUID
    execution_id: UUID

    @property
    def idempotency_key(self) -> str:
        """The same in each try of one call, of whichever worker, and in no other call."""
        return str(self.execution_id)


class Reuse(StrEnum):
    """How far an equal call has an equal result."""

    MISSION = "mission"
    PROJECT = "project"


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that a call will do, in words. `weight` is info, warning or danger."""

    weight: str
    text: str


@dataclass(frozen=True, slots=True)
class Compensation:
    """How a call is taken back: the name of the tool that does it, and its arguments.

    `arguments` makes them from the effective arguments and the output of the call. The tool must be idempotent:
    a compensation whose worker died in the middle is run again.
    """

    tool: str
    arguments: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]


def _no_effects(caller: Caller, arguments: Any) -> tuple[Effect, ...]:
    return ()


def _no_cost(arguments: Any) -> Decimal:
    return Decimal(0)


def _no_faults(caller: Caller, arguments: Any) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Tool(Generic[ArgumentsT]):
    """A tool. `idempotent` ones may run again when the worker died in the middle, without asking anybody.

    So may one that `takes_key`: it hands the caller's `idempotency_key` to a service that does once what it is asked
    with one key. Unlike an idempotent one it does it again in another call, as after a rewind.
    `reads_only`: its calls leave the world as it is; `reuse`: so its results answer equal calls for a while, in the
    mission or the whole project. `compensation` says how a call is taken back, where it can be.
    `cost` estimates in dollars what a call costs, for policies that look at it.
    `effects` says in words what a call will do; `faults` maps arguments that the world does not allow to messages.
    """

    name: str
    version: str
    title: str
    risk: Risk
    policy: Policy
    idempotent: bool
    arguments: type[ArgumentsT]
    run: Callable[[Caller, ArgumentsT], dict[str, Any]]
    effects: Callable[[Caller, ArgumentsT], tuple[Effect, ...]] = _no_effects
    faults: Callable[[Caller, ArgumentsT], Mapping[str, str]] = _no_faults
    reads_only: bool = False
    compensation: Compensation | None = None
    reuse: Reuse | None = None
    takes_key: bool = False
    cost: Callable[[ArgumentsT], Decimal] = _no_cost

    def __post_init__(self) -> None:
        """A call that changes the world must be made, whatever an equal one came to."""
        if self.reuse and not self.reads_only:
            raise ValueError(f"{self.name} does not only read, so its results cannot be reused.")

    @property
    def may_repeat(self) -> bool:
        """May a call that was begun be made again without harm?"""
        return self.idempotent or self.takes_key

    @property
    def reversal(self) -> Reversal:
        """What can be done about a call that has happened."""
        if self.compensation:
            return Reversal.UNDOABLE
        return Reversal.REPEATABLE if self.idempotent else Reversal.NEITHER

    def parse(self, arguments: dict[str, Any]) -> ArgumentsT:
        """The arguments as the tool takes them. Raises InvalidInput with a message for each bad field."""
        check_storable(arguments)
        try:
            return self.arguments.model_validate(arguments)
        except ValidationError as error:
            raise InvalidInput(
                f"The arguments of {self.name} do not fit.",
                fields={str(part["loc"][0]) if part["loc"] else "": _message(part) for part in error.errors()},
            ) from None

    def check(self, caller: Caller, arguments: dict[str, Any]) -> ArgumentsT:
        """The same, and held against the world as it is now. Raises InvalidInput."""
        parsed = self.parse(arguments)
        faults = self.faults(caller, parsed)
        if faults:
            raise InvalidInput(f"The arguments of {self.name} cannot be used.", fields=dict(faults))
        return parsed

    def schema(self) -> dict[str, Any]:
        """The arguments as JSON schema."""
        return self.arguments.model_json_schema()


def check_storable(arguments: dict[str, Any]) -> None:
    """Raise InvalidInput, with a message for each of them, for arguments that `jsonb` cannot hold."""
    faults = {name: fault_of([name, value]) for name, value in arguments.items()}
    if fields := {name: fault for name, fault in faults.items() if fault}:
        raise InvalidInput(fields=fields)


def _message(part: Any) -> str:
    text = str(part["msg"]).removeprefix("Value error, ")
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
