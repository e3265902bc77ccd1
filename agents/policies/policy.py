"""A project's policy: rules in order, the first that applies decides; else the tool's own policy does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from agents.errors import InvalidInput
from agents.lifecycle import Policy, Risk
from agents.policies.conditions import Conditions, Facts, Name, Part, Storable
from agents.roles import Role, higher

MOST_RULES = 200
MOST_PEOPLE = 10
UNDO_SECONDS = 5.0
LONGEST_WAIT = 365 * 86400  # seconds
Person = Annotated[str, Field(max_length=150), Storable]
Seconds = Annotated[int, Field(ge=1, le=LONGEST_WAIT)]


class AtDeadline(StrEnum):
    """What becomes of a request that nobody has decided in time."""

    REJECT = "reject"
    APPROVE = "approve"
    ESCALATE = "escalate"


class Escalation(Part):
    """After how many seconds a request goes to others: to a role, or to one person by name."""

    after: Seconds
    role: Role = Role.APPROVER
    person: Person = ""

    @field_validator("role")
    @classmethod
    def _may_decide(cls, role: Role) -> Role:
        return _deciding(role)


class Terms(Part):
    """How a request is to be decided.

    `people`: how many must approve it; one who rejects is enough. `role`: what they must be at least. `person`: who it
    is for; others may not decide it. `not_own`: nobody decides what a mission of their own asks. Seconds count from
    the request. At the `deadline`, `at_deadline` happens. `undo`: for how many seconds a decision can be taken back;
    None: as long as is usual for the risk.
    """

    people: Annotated[int, Field(ge=1, le=MOST_PEOPLE)] = 1
    role: Role = Role.APPROVER
    person: Person = ""
    not_own: bool = False
    deadline: Seconds | None = None
    at_deadline: AtDeadline = AtDeadline.REJECT
    reminders: Annotated[tuple[Seconds, ...], Field(max_length=10)] = ()
    escalations: Annotated[tuple[Escalation, ...], Field(max_length=10)] = ()
    undo: Annotated[float, Field(ge=0, le=60)] | None = None

    @field_validator("role")
    @classmethod
    def _may_decide(cls, role: Role) -> Role:
        return _deciding(role)

    @model_validator(mode="after")
    def _fit(self) -> Self:
        """What belongs together is there."""
        if self.people > 1 and self.person:
            raise ValueError(f"{self.people} people must decide it, so it cannot be for one person")
        if self.at_deadline is not AtDeadline.REJECT and self.deadline is None:
            raise ValueError(f"to {self.at_deadline} at the deadline it needs a deadline")
        if self.at_deadline is AtDeadline.APPROVE and self.people > 1:
            raise ValueError("what several people must approve is not approved by silence")
        if self.at_deadline is AtDeadline.ESCALATE and not self.escalations:
            raise ValueError("to escalate at the deadline it needs to say to whom")
        late = [one for one in (*self.reminders, *(one.after for one in self.escalations))]
        if self.deadline is not None and any(one >= self.deadline for one in self.reminders):
            raise ValueError("a reminder after the deadline reminds nobody")
        if sorted(late[len(self.reminders) :]) != late[len(self.reminders) :]:
            raise ValueError("escalations come one after the other")
        return self

    def stricter(self, other: Terms) -> Terms:
        """What both ask for; times stay these."""
        return self.model_copy(
            update={
                "people": max(self.people, other.people),
                "role": higher(self.role, other.role),
                "not_own": self.not_own or other.not_own,
            }
        )

    def undo_seconds(self, risk: Risk) -> float:
        """For how long a decision can be taken back."""
        if self.undo is not None:
            return self.undo
        return UNDO_SECONDS if risk is Risk.LOW else 0.0


class Rule(Part):
    """What happens to the calls that fit, and, if people are asked, how. `reason` is told with it."""

    name: Name
    policy: Policy
    when: Conditions = Conditions()
    terms: Terms | None = None
    reason: Annotated[str, Field(max_length=500), Storable] = ""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Terms are for what is asked."""
        if self.terms is not None and self.policy is not Policy.ASK:
            raise ValueError("only a rule that asks has terms")
        if self.terms and self.terms.at_deadline is AtDeadline.APPROVE and Risk.HIGH in (self.when.risks or Risk):
            raise ValueError("silence must not approve a call of high risk: let the rule say for which risks it is")
        return self


@dataclass(frozen=True, slots=True)
class Ruling:
    """What happens to a call, and the rule that says so; empty: the tool's own policy."""

    policy: Policy
    terms: Terms
    rule: str = ""
    reason: str = ""


class Document(Part):
    """The policy of a project. `terms` are those of what is asked where no rule has its own."""

    rules: Annotated[tuple[Rule, ...], Field(max_length=MOST_RULES)] = ()
    terms: Terms = Terms()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Each rule has a name of its own."""
        names = [rule.name for rule in self.rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two rules are called {twice[0]}")
        if self.terms.at_deadline is AtDeadline.APPROVE:
            raise ValueError("silence approves only what a rule names")
        return self

    def rule_named(self, name: str) -> Rule | None:
        """The rule of that name."""
        return next((rule for rule in self.rules if rule.name == name), None)

    def ruling(self, facts: Facts, usual: Policy) -> Ruling:
        """What happens to a call whose tool's own policy is `usual`."""
        for rule in self.rules:
            if rule.when.hold(facts):
                return Ruling(rule.policy, rule.terms or self.terms, rule.name, rule.reason)
        return Ruling(usual, self.terms)


def parse(given: Any) -> Document:
    """A document from JSON. Raises InvalidInput with a message for each bad field, `rules.0.when.hours.zone`."""
    try:
        return Document.model_validate(given)
    except ValidationError as error:
        raise InvalidInput("The policy does not fit.", fields=messages_of(error)) from None


def messages_of(error: ValidationError) -> dict[str, str]:
    """What is wrong, by the path to it."""
    return {".".join(map(str, part["loc"])): _message(part) for part in error.errors()}


def _deciding(role: Role) -> Role:
    if role not in (Role.APPROVER, Role.ADMIN):
        raise ValueError("only approvers and admins decide")
    return role


def _message(part: Any) -> str:
    text = re.sub(r"^(String|Input|Value|Tuple|Decimal input) should", "it should", str(part["msg"]))
    text = text.removeprefix("Value error, ")
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
