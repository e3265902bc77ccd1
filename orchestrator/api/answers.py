"""What programs are told."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from agents.events.digests import json_digest
from agents.interrupts import Form
from agents.lifecycle import ApprovalStatus, DecidedBy, ExecutionStatus, Risk
from agents.models import Approval, Membership, User, Vote
from agents.outcomes import Decided, DecisionOutcome
from agents.roles import Role
from agents.selectors import approvals as selectors
from orchestrator.actions import approvals


class Person(BaseModel):
    """Somebody."""

    id: UUID
    name: str

    @classmethod
    def of(cls, user: User) -> "Person":
        """As programs see them."""
        return cls(id=user.pk, name=user.get_username())


class ListedApproval(BaseModel):
    """A request in a list."""

    id: UUID
    project_id: UUID
    mission_id: UUID
    session_id: UUID
    agent: str = Field(description="The name of the agent that asks.")
    agent_type: str
    kind: str
    title: str
    tool: str
    risk: Risk
    intent: str
    status: ApprovalStatus
    version: int = Field(description="Goes into your decision.")
    allowed: list[str] = Field(description="Verdicts; with `edit`, `approve` may have other arguments.")
    people: int = Field(description="How many must approve it.")
    assigned_role: Role
    assigned_to: Person | None
    created_at: datetime
    deadline_at: datetime | None

    @staticmethod
    def facts(approval: Approval) -> dict[str, Any]:
        """The fields of a request."""
        return {
            "id": approval.pk,
            "project_id": approval.project_id,
            "mission_id": approval.session.root_id,
            "session_id": approval.session_id,
            "agent": approval.session.name,
            "agent_type": approval.session.agent_type,
            "tool": approval.tool_name,
            "assigned_to": Person.of(approval.assigned_to) if approval.assigned_to else None,
            **{name: getattr(approval, name) for name in _SAME},
        }


_SAME = (
    "kind", "title", "risk", "intent", "status", "version", "allowed", "people", "assigned_role", "created_at",
    "deadline_at",
)  # fmt: skip


class ApprovalPage(BaseModel):
    """Some of the open requests, the most urgent first."""

    approvals: list[ListedApproval]
    next: str | None = Field(description="`cursor` of the next page; null: this is the last.")


class DecidedApproval(ListedApproval):
    """A decided request in a list: who or what decided what, when, and what came of it."""

    verdict: str
    reason: str
    decided_how: DecidedBy | None = Field(description="null: it was withdrawn, and nobody decided it.")
    decided_by: Person | None = Field(description="The person; null: it was decided by itself, or withdrawn.")
    rule_id: UUID | None = Field(description="The rule that decided.")
    decider: str = Field(description="Who or what decided, in words.")
    decided_at: datetime
    is_edited: bool = Field(description="Something else took effect than was proposed.")
    effective_tool: str = Field(description="What was called in place of `tool`; empty: the same.")
    effective_at: datetime | None = Field(description="Until then the decision can be taken back.")
    dispatched_at: datetime | None = Field(description="When the agent was told.")
    ran: ExecutionStatus | None = Field(description="How the tool's call stands; null: it is about none.")

    @classmethod
    def of(cls, approval: Approval) -> "DecidedApproval":
        """As programs see it."""
        return cls(
            **cls.facts(approval),
            **{name: getattr(approval, name) for name in _DECIDED},
            decided_how=DecidedBy(approval.decided_how) if approval.decided_how else None,
            decided_by=Person.of(approval.decided_by) if approval.decided_by else None,
            is_edited=approval.edited is not None or bool(approval.effective_tool),
            ran=ExecutionStatus(approval.execution.status) if approval.execution else None,
        )


_DECIDED = (
    "verdict", "reason", "rule_id", "decider", "decided_at", "effective_tool", "effective_at", "dispatched_at",
)  # fmt: skip


class DecidedPage(BaseModel):
    """Some of the decided requests, the newest decision first."""

    approvals: list[DecidedApproval]
    next: str | None = Field(description="`cursor` of the next page; null: this is the last.")


class Said(BaseModel):
    """What one person said to a request."""

    person: Person
    verdict: str
    digest: str
    reason: str
    at: datetime

    @classmethod
    def of(cls, vote: Vote) -> "Said":
        """As programs see it."""
        return cls(
            person=Person.of(vote.user),
            verdict=vote.verdict,
            digest=vote.digest,
            reason=vote.reason,
            at=vote.created_at,
        )


class OneApproval(ListedApproval):
    """A request with all that a decision needs, and what was decided."""

    form: str
    effects: list[Any] = Field(description="What the call will do, in words.")
    proposed: Any
    proposed_digest: str
    edited: Any
    effective: Any = Field(description="What the tool is called with; of a question, `answer` in an object.")
    effective_tool: str
    effective_digest: str
    argument_schema: dict[str, Any] | None
    answer_schema: dict[str, Any] | None = Field(description="Of an open question.")
    may_change_tool: bool
    terms: dict[str, Any] = Field(description="How it is to be decided, by the policy when it was asked.")
    policy_version: int | None
    policy_rule: str
    votes: list[Said]
    obstacle: str = Field(description="Why you may not decide it; empty: nothing stands in the way.")
    verdict: str
    reason: str
    decided_how: str
    decided_by: Person | None
    decider: str = Field(description="Who or what decided, in words; empty while it is open.")
    decided_at: datetime | None
    effective_at: datetime | None = Field(description="Until then the decision can be taken back.")
    dispatched_at: datetime | None = Field(description="When the agent was told.")

    @classmethod
    def of(cls, approval: Approval, user: User) -> "OneApproval":
        """As a program of this person sees it."""
        is_pending = approval.status == ApprovalStatus.PENDING
        is_open = approval.form == Form.OPEN
        schema = approval.schema or None
        return cls(
            **cls.facts(approval),
            **{name: getattr(approval, name) for name in _TOLD},
            proposed_digest=json_digest(approval.proposed),
            argument_schema=None if is_open else schema,
            answer_schema=schema if is_open else None,
            votes=[Said.of(vote) for vote in selectors.standing_votes(approval)],
            obstacle=approvals.obstacle(user, approval) if is_pending else "",
            decided_by=Person.of(approval.decided_by) if approval.decided_by else None,
            decider="" if is_pending else approval.decider,
        )


_TOLD = (
    "form", "effects", "proposed", "edited", "effective", "effective_tool", "effective_digest", "may_change_tool",
    "terms", "policy_version", "policy_rule", "verdict", "reason", "decided_how", "decided_at", "effective_at",
    "dispatched_at",
)  # fmt: skip


class TrailLine(BaseModel):
    """One thing that happened to a request."""

    version: int
    at: datetime
    who: str
    what: str
    digest: str


class TrailOut(BaseModel):
    """All that happened to a request, as its chain of events says. Times that have not come are empty."""

    approval_id: UUID
    mission_id: UUID
    session_id: UUID
    agent: str
    title: str
    tool: str
    risk: Risk
    asked_at: str
    status: ApprovalStatus
    decided_by: str
    decided_at: str
    reason: str
    policy: dict[str, Any]
    proposed_digest: str
    effective_digest: str
    ran: str
    ran_at: str
    came_to: str
    error: str
    lines: list[TrailLine]
    chain: str = Field(description="`sound`, or at which version it is broken.")


class OutcomeOut(BaseModel):
    """What became of one of many."""

    id: UUID
    title: str
    result: Decided
    why: str

    @classmethod
    def of(cls, outcome: DecisionOutcome) -> "OutcomeOut":
        """As programs see it."""
        return cls(id=outcome.approval_id, title=outcome.title, result=outcome.result, why=outcome.why)


class Outcomes(BaseModel):
    """What became of each, in the order in which they were sent, and how many of each kind there are."""

    outcomes: list[OutcomeOut]
    counts: dict[Decided, int]

    @classmethod
    def of(cls, outcomes: Sequence[DecisionOutcome]) -> "Outcomes":
        """As programs see them."""
        counts = Counter(one.result for one in outcomes)
        return cls(outcomes=[OutcomeOut.of(one) for one in outcomes], counts=dict(counts))


class ProjectOut(BaseModel):
    """A project, and what you may do in it."""

    id: UUID
    name: str
    slug: str
    role: Role

    @classmethod
    def of(cls, membership: Membership) -> "ProjectOut":
        """As its member sees it."""
        project = membership.project
        return cls(id=project.pk, name=project.name, slug=project.slug, role=Role(membership.role))


class Member(Person):
    """Somebody who belongs to a project."""

    role: Role


class Conflict(BaseModel):
    """What stands in the way of a decision: how the request is now."""

    status: ApprovalStatus
    version: int
    decided_by: str = Field(description="Who or what was first; empty while it is open.")
    decided_at: datetime | None

    @classmethod
    def of(cls, approval: Approval) -> "Conflict":
        """As it stands."""
        is_pending = approval.status == ApprovalStatus.PENDING
        return cls(
            status=ApprovalStatus(approval.status),
            version=approval.version,
            decided_by="" if is_pending else approval.decider,
            decided_at=approval.decided_at,
        )


class Refusal(BaseModel):
    """Why something was not done."""

    code: str
    message: str
    fields: dict[str, str] = Field(description="Messages by the names of fields; empty: about the whole.")


class ConflictRefusal(Refusal):
    """Something was not done because of what happened before."""

    conflict: Conflict | None = None
