"""How events show in sessions, approvals and communications, and how these tables are written back from them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Case, F, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from agents.events import reading
from agents.events.folds import ApprovalState, ConversationState, SessionState, fold
from agents.events.projections import Difference, Expected, Projection, differences
from agents.lifecycle import FINAL, ExecutionStatus, RewindStatus, RunStatus, SessionStatus
from agents.models import (
    AgentCommunication,
    AgentRun,
    AgentSession,
    Approval,
    EventHead,
    Rewind,
    SessionLease,
    ToolExecution,
)
from agents.words import CommunicationType

_CONVERSATION = Coalesce("wait_id", "parent_communication__wait_id", "parent_communication_id", "pk")


class Sessions:
    """Sessions with their runs, tool calls and rewinds."""

    aggregate_type = "session"

    def rows(self, aggregate_id: UUID, state: SessionState) -> Iterator[Expected]:
        """The rows that the state of a session shows in. Of an imported one, what it was imported as."""
        columns: dict[str, Any] = {"status": state.status, "level": state.level, "agent_type": state.agent_type}
        if not state.imported or state.run_id:
            columns |= {"current_run_id": state.run_id}
        if not state.imported:
            columns |= {
                "root_id": state.mission_id,
                "priority": state.priority,
                "parent_id": state.parent_id,
                "forked_from_id": state.forked_from,
                "stands_for_id": state.stands_for,
                "attempt": state.attempt,
                "control": state.control,
            }
        ended = {"finished_at": state.moved_at if state.status in FINAL else None}
        yield Expected(aggregate_id, AgentSession, aggregate_id, columns, also=ended)
        yield from self._runs(aggregate_id, state)
        for call_id, call in state.calls.items():
            told = {
                "tool_name": call.tool_name,
                "status": call.status,
                "attempt": call.attempt,
                "input_digest": call.digest,
            }
            left = ("superseded_at",) if call.superseded else ()
            also = {"superseded_at": Coalesce("superseded_at", Now())} if call.superseded else {}
            yield Expected(aggregate_id, ToolExecution, call_id, told, left, also)
        yield from self._rewinds(aggregate_id, state)

    def _runs(self, aggregate_id: UUID, state: SessionState) -> Iterator[Expected]:
        """Those that have ended first: only one may be active."""
        for run_id, run in sorted(state.runs.items(), key=lambda pair: pair[1].status == RunStatus.ACTIVE):
            told: dict[str, Any] = {"number": run.number, "status": run.status}
            if run.command is not None:
                told["command"] = run.command
            yield Expected(aggregate_id, AgentRun, run_id, told)

    def _rewinds(self, aggregate_id: UUID, state: SessionState) -> Iterator[Expected]:
        for rewind_id, rewind in state.rewinds.items():
            told = {
                "kind": rewind.kind,
                "status": rewind.status,
                "checkpoint_id": rewind.checkpoint_id,
                "new_checkpoint_id": rewind.new_checkpoint_id,
                "run_id": rewind.run_id,
                "fork_id": rewind.fork_id,
            }
            ended = {"finished_at": None if rewind.status == RewindStatus.OPEN else rewind.at}
            yield Expected(aggregate_id, Rewind, rewind_id, told, also=ended)

    def untold(self, states: Mapping[UUID, SessionState]) -> Iterator[Difference]:
        """Tool calls that began, and runs, that no event tells of. What was copied or imported has none."""
        own = [session_id for session_id, state in states.items() if not state.imported]
        calls = ToolExecution.objects.filter(session__in=own, kept_from__isnull=True)
        for call_id, session_id in calls.exclude(status=ExecutionStatus.PENDING).values_list("pk", "session_id"):
            if call_id not in states[session_id].calls:
                yield Difference(session_id, f"tool execution {call_id}: no event tells of it")
        for run_id, session_id in AgentRun.objects.filter(session__in=own).values_list("pk", "session_id"):
            if run_id not in states[session_id].runs:
                yield Difference(session_id, f"agent run {run_id}: no event tells of it")

    def live(self, mission_id: UUID | None) -> QuerySet[Any]:
        """Sessions."""
        within = Q(root_id=mission_id) if mission_id else Q()
        return AgentSession.objects.filter(within).annotate(aggregate_id=F("pk"))

    def mend(self, aggregate_id: UUID, state: SessionState) -> None:
        """A session that runs has a lease: one that has run out lets the sweeper see to it."""
        if state.status == SessionStatus.RUNNING:
            session = AgentSession.objects.get(pk=aggregate_id)
            SessionLease.objects.get_or_create(
                session=session,
                defaults={
                    "project_id": session.project_id,
                    "attempt": session.attempt,
                    "until": timezone.now(),
                    "holder": "rebuilt",
                },
            )
        else:
            SessionLease.objects.filter(pk=aggregate_id).delete()


class Approvals:
    """Requests to people. The words of a decision stand in no event; where they are lost, the row says so."""

    aggregate_type = "approval"

    def rows(self, aggregate_id: UUID, state: ApprovalState) -> Iterator[Expected]:
        """The row of a request."""
        kind, _, decider = state.decided_by.partition(":")
        columns = {
            "session_id": state.session_id,
            "tool_name": state.tool_name,
            "risk": state.risk,
            "status": state.status,
            "verdict": state.verdict,
            "effective_digest": state.digest,
            "decided_how": state.how,
            "decided_by_id": UUID(decider) if kind == "person" else None,
            "rule_id": state.rule_id,
            "form": state.form,
            "place": state.place,
            "policy_version": state.policy_version,
            "assigned_role": state.assigned_role,
            "assigned_to_id": state.assigned_to,
            "steps_done": state.steps_done,
        }
        lost = Case(When(reason="", then=Value("The reason is lost.")), default=F("reason"), output_field=TextField())
        also = {"decided_at": state.decided_at, "reason": lost if state.status == "rejected" else F("reason")}
        if state.status == "pending":
            also |= {"effective_at": None, "dispatched_at": None}
        yield Expected(aggregate_id, Approval, aggregate_id, columns, ("edited",) if state.edited else (), also)

    def untold(self, states: Mapping[UUID, ApprovalState]) -> Iterator[Difference]:
        """A request is one row."""
        yield from ()

    def live(self, mission_id: UUID | None) -> QuerySet[Any]:
        """Requests."""
        within = Q(session__root_id=mission_id) if mission_id else Q()
        return Approval.objects.filter(within).annotate(aggregate_id=F("pk"))

    def mend(self, aggregate_id: UUID, state: ApprovalState) -> None:
        """Nothing hangs on it."""


class Communications:
    """Conversations: what agents told each other, with its answers. Contents stand in no event but by their digest."""

    aggregate_type = "communication"

    def rows(self, aggregate_id: UUID, state: ConversationState) -> Iterator[Expected]:
        """The row of each thing that was told. What old events do not say of it is not looked at."""
        for communication_id, told in state.told.items():
            columns: dict[str, Any] = {
                "sender_session_id": told.sender_id,
                "receiver_session_id": told.receiver_id,
                "message_type": told.kind,
                "wait_id": aggregate_id if told.is_request else None,
                "parent_communication_id": told.answers,
                "outcome": told.outcome,
                "requires_response": told.is_request or told.kind == CommunicationType.TASK_ASSIGNMENT,
            }
            if told.coordination_id is not None:
                columns["coordination_id"] = told.coordination_id
            if told.priority is not None:
                columns["priority"] = told.priority
            if told.timeout is not None or not told.is_request:
                columns["response_timeout"] = None if told.timeout is None else timedelta(microseconds=told.timeout)
            if told.closed_at is None:
                columns["processed_at"] = None
            closed = ("processed_at",) if told.closed_at else ()
            also = {"processed_at": Coalesce("processed_at", Value(told.closed_at))} if told.closed_at else {}
            digests = {"message_content": told.digest}
            yield Expected(aggregate_id, AgentCommunication, communication_id, columns, closed, also, digests=digests)

    def untold(self, states: Mapping[UUID, ConversationState]) -> Iterator[Difference]:
        """What stands in one of these conversations, and no event tells of it."""
        known = {communication_id for state in states.values() for communication_id in state.told}
        requests = AgentCommunication.objects.filter(wait__in=states).values_list("pk", flat=True)
        followed = {*requests, *states}
        found = self.live(None).filter(Q(pk__in=followed) | Q(parent_communication__in=followed))
        for communication_id, conversation in found.values_list("pk", "aggregate_id"):
            if conversation in states and communication_id not in known:
                yield Difference(conversation, f"agent communication {communication_id}: no event tells of it")

    def live(self, mission_id: UUID | None) -> QuerySet[Any]:
        """Conversations."""
        within = Q(sender_session__root_id=mission_id) if mission_id else Q()
        return AgentCommunication.objects.filter(within).annotate(aggregate_id=_CONVERSATION)

    def mend(self, aggregate_id: UUID, state: ConversationState) -> None:
        """Nothing hangs on it: who is to answer a request that is open is woken by the sweeper."""


def rebuild(projection: Projection, aggregate_id: UUID) -> list[Difference]:
    """Write an aggregate's rows back as its events tell them, in one transaction; what is left that cannot be.

    Its session, its rows and then its head are locked, so that nobody changes them meanwhile. Missing rows stay
    missing, and rows that should not be there stay: what people wrote is in no event. Where a row would have to name
    one that is missing, or be a second one of its kind, none is written. The chain must be sound.
    """
    try:
        with transaction.atomic():
            return _rebuild(projection, aggregate_id)
    except IntegrityError:
        state = fold(reading.load(aggregate_id))
        return list(differences(projection, {aggregate_id: state})) if state else []


def _rebuild(projection: Projection, aggregate_id: UUID) -> list[Difference]:
    expected = _locked(projection, aggregate_id)
    EventHead.objects.select_for_update().get(pk=aggregate_id)
    state = fold(reading.load(aggregate_id))
    if state is None:
        return []
    before = list(differences(projection, {aggregate_id: state}))
    if before:
        known = {row.pk for row in expected}
        for row in projection.rows(aggregate_id, state):
            if row.is_there and row.pk in known:
                row.model._default_manager.filter(_is_different(row), pk=row.pk).update(**row.columns, **row.also)
        projection.mend(aggregate_id, state)
    return list(differences(projection, {aggregate_id: state}))


def _locked(projection: Projection, aggregate_id: UUID) -> Sequence[Expected]:
    """The rows of an aggregate, locked before its head as everybody does it."""
    state = fold(reading.load(aggregate_id))
    expected = list(projection.rows(aggregate_id, state)) if state else []
    for row in expected:
        list(row.model._default_manager.select_for_update(no_key=True).filter(pk=row.pk).values_list("pk"))
    return expected


def _is_different(row: Expected) -> Q:
    different = Q()
    for column, value in row.columns.items():
        different |= Q(**{f"{column}__isnull": False}) if value is None else ~Q(**{column: value})
    for column in row.present:
        different |= Q(**{f"{column}__isnull": True})
    return different
