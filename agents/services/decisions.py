"""Decisions: what people say to requests, alone or with others, on one or on many of them; and taking it back."""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from agents import access, interrupts
from agents.actor import SYSTEM, person
from agents.errors import AlreadyDecided, DomainError, Forbidden, NotFound, StaleVersion, TooLate
from agents.events import store
from agents.events.types import ApprovalDispatched, ApprovalUndone, ApprovalVoted
from agents.lifecycle import ApprovalStatus, DecidedBy, Risk
from agents.models import AgentSession, Approval, SessionWait, User, Vote
from agents.policies.policy import Terms
from agents.roles import Role
from agents.services import audit, deciders, sessions
from agents.services.conclusions import (
    REOPENED,
    Conclusion,
    Decider,
    Decision,
    Effect,
    Held,
    checked,
    conclude,
    conclude_all,
    tell,
)

DECIDED = (ApprovalStatus.APPROVED, ApprovalStatus.REJECTED, ApprovalStatus.ANSWERED)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a decision brings about, and under which terms it counts."""

    effect: Effect
    terms: Terms


@transaction.atomic
def decide(approval_id: UUID, decision: Decision, *, by: User, version: int, terms: Terms | None = None) -> Approval:
    """Decide a pending request, or say what somebody else must say, too; the request as it stands then.

    The agent is told at once, or once the decision cannot be taken back any more. `terms`: those of what it was
    changed to; the stricter hold. The same press of a button again changes nothing.
    Raises NotFound, Forbidden for who may not decide it, AlreadyDecided (with who, when and what) when somebody was
    first, StaleVersion when the request has changed since `version`, InvalidInput when it does not allow this.
    """
    held = locked(approval_id)
    approval = held.approval
    if decision.key and was_pressed(approval_id, decision.key, by=by):
        return approval
    ruling = _ruled(approval, decision, version, by, access.role_in(by, approval.project_id), terms)
    vote = _vote(approval, decision, ruling.effect, by)
    counted = 1
    if ruling.terms.people > 1:
        voted = ApprovalVoted(session_id=held.session.pk, vote_id=vote.pk, verdict=vote.verdict, digest=vote.digest)
        store.record(voted, held.session, actor=person(by.pk), aggregate_id=approval.pk)
        counted = _counted(approval, ruling)
        if decision.verdict == interrupts.APPROVE and counted < ruling.terms.people:
            return approval
    return conclude(_conclusion(held, decision, ruling, by, votes=counted))


@transaction.atomic
def decide_together(wanted: Mapping[UUID, tuple[Decision, int]], *, by: User) -> list[Approval]:
    """Decide many requests in a few statements, each as `decide` would with its decision and version; the decided.

    Left as they are, for `decide` to say why or to wait: those that somebody else holds just now, that several people
    must decide, or that this person may not decide so.
    """
    found = locked_free(wanted)
    pressed = _pressed(found, wanted, by)
    roles = access.roles_of(by)
    ruled: list[tuple[Held, Decision, Ruling]] = []
    for held in found:
        decision, version = wanted[held.approval.pk]
        with contextlib.suppress(DomainError):
            ruling = _ruled(held.approval, decision, version, by, roles.get(held.approval.project_id), None)
            if ruling.terms.people == 1 and held.approval.pk not in pressed:
                ruled.append((held, decision, ruling))
    if not ruled:
        return []
    causes = _vote_all(ruled, by)
    conclude_all(
        [
            _conclusion(held, decision, ruling, by, cause=cause)
            for (held, decision, ruling), cause in zip(ruled, causes, strict=True)
        ]
    )
    return [held.approval for held, _, _ in ruled]


def _ruled(
    approval: Approval, decision: Decision, version: int, by: User, role: Role | None, terms: Terms | None
) -> Ruling:
    """What a decision of a person with this role would bring about. Raises what `decide` raises."""
    if approval.status != ApprovalStatus.PENDING or approval.version != version:
        raise _refusal(approval)
    asked = Terms.model_validate(approval.terms)
    stricter = asked.stricter(terms) if terms else asked
    deciders.check(approval, stricter, by, role)
    if terms and terms.person != asked.person:
        deciders.check_named(approval, terms, by)
    return Ruling(checked(approval, decision), stricter)


def _conclusion(
    held: Held, decision: Decision, ruling: Ruling, by: User, *, votes: int = 1, cause: UUID | None = None
) -> Conclusion:
    undo = ruling.terms.undo_seconds(Risk(held.approval.risk)) if ruling.terms.people == 1 else 0.0
    decider = Decider(DecidedBy.PERSON, person(by.pk), by)
    return Conclusion(held, decision, ruling.effect, decider, undo, votes, cause)


def _pressed(found: Sequence[Held], wanted: Mapping[UUID, tuple[Decision, int]], by: User) -> set[UUID]:
    """Those of these requests that the person's press of the button has reached before."""
    keys = {decision.key for decision, _ in wanted.values()} - {""}
    if not keys:
        return set()
    mine = Vote.objects.filter(approval__in=[held.approval.pk for held in found], user=by, key__in=keys)
    return {pk for pk, key in mine.values_list("approval_id", "key") if wanted[pk][0].key == key}


def was_pressed(approval_id: UUID, key: str, *, by: User) -> bool:
    """Has this press of a button reached the request before?"""
    return Vote.objects.filter(approval=approval_id, user=by, key=key).exists()


def _vote(approval: Approval, decision: Decision, effect: Effect, by: User) -> Vote:
    """Keep what a person says; it stands in place of what the same person said before."""
    votes(approval).filter(user=by).update(withdrawn_at=Now())
    vote = _said(approval, decision, effect, by)
    vote.save(force_insert=True)
    deed = _deed(approval, decision, effect)
    audit.record(by.pk, deed.action, project_id=deed.project_id, target=deed.target, detail=deed.detail)
    return vote


def _vote_all(ruled: Sequence[tuple[Held, Decision, Ruling]], by: User) -> list[UUID]:
    """The same for many requests; the ids of their entries in the audit."""
    said = [_said(held.approval, decision, ruling.effect, by) for held, decision, ruling in ruled]
    before = Vote.objects.standing().filter(approval__in=[held.approval.pk for held, _, _ in ruled])
    before.filter(user=by).update(withdrawn_at=Now())
    Vote.objects.bulk_create(said)
    return audit.record_all(by.pk, [_deed(held.approval, decision, ruling.effect) for held, decision, ruling in ruled])


def _said(approval: Approval, decision: Decision, effect: Effect, by: User) -> Vote:
    return Vote(
        project_id=approval.project_id,
        approval=approval,
        user=by,
        key=decision.key,
        verdict=decision.verdict,
        tool_name=effect.tool,
        arguments=effect.arguments,
        digest=effect.digest,
        reason=decision.reason,
    )


def _deed(approval: Approval, decision: Decision, effect: Effect) -> audit.Deed:
    return audit.Deed(
        f"approval.{decision.verdict}",
        approval.project_id,
        ("approval", approval.pk),
        {"edited": effect.is_edited, "digest": effect.digest},
    )


def votes(approval: Approval) -> QuerySet[Vote]:
    """What stands of what people said to a request."""
    return Vote.objects.standing().filter(approval=approval)


def _counted(approval: Approval, ruling: Ruling) -> int:
    """How many approve exactly this who could do so now: who has lost the role since does not count any more."""
    effect = ruling.effect
    able = Vote.objects.that_count(ruling.terms.role).filter(approval=approval)
    return able.filter(verdict=interrupts.APPROVE, digest=effect.digest, tool_name=effect.tool).count()


@transaction.atomic
def undo(approval_id: UUID, *, by: User) -> Approval:
    """Take a decision of one's own back before the agent is told: the request is open again.

    Raises NotFound, Forbidden for somebody else's decision, TooLate.
    """
    session, _, approval = locked(approval_id)
    if approval.status not in DECIDED:
        raise TooLate("There is no decision to take back.")
    if approval.decided_by_id != by.pk:
        raise Forbidden("Only who decided can take that back.")
    undone = Approval.objects.filter(pk=approval.pk, dispatched_at__isnull=True, effective_at__gt=Now()).update(
        **REOPENED
    )
    if not undone:
        raise TooLate
    votes(approval).filter(user=by).update(withdrawn_at=Now())
    store.record(ApprovalUndone(session_id=session.pk), session, actor=person(by.pk), aggregate_id=approval.pk)
    audit.record(by.pk, "approval.undo", project_id=approval.project_id, target=("approval", approval.pk), detail={})
    approval.refresh_from_db()
    return approval


def due(limit: int = 500) -> list[UUID]:
    """Decisions that cannot be taken back any more, and of which the agents have not been told."""
    found = Approval.objects.filter(effective_at__lte=Now(), dispatched_at__isnull=True).order_by("effective_at")
    return list(found.values_list("pk", flat=True)[:limit])


@transaction.atomic
def dispatch(approval_id: UUID) -> bool:
    """Tell an agent of a decision that cannot be taken back any more, once. False if that was done, or undone."""
    held = locked(approval_id)
    approval = held.approval
    is_due = Approval.objects.filter(pk=approval.pk, effective_at__lte=Now(), dispatched_at__isnull=True)
    if not is_due.update(dispatched_at=Now()):
        return False
    approval.refresh_from_db()
    told = ApprovalDispatched(session_id=held.session.pk)
    tell([(held, store.record(told, held.session, actor=SYSTEM, aggregate_id=approval.pk))])
    return True


def locked(approval_id: UUID) -> Held:
    """A request with its agent and its wait, locked in this order to the end of the transaction. Raises NotFound."""
    found = Approval.objects.filter(pk=approval_id).values_list("session_id", "wait_id").first()
    if found is None:
        raise NotFound
    session = sessions.lock(found[0])
    wait = SessionWait.objects.select_for_update(no_key=True).get(pk=found[1])
    return Held(session, wait, Approval.objects.select_for_update(no_key=True).get(pk=approval_id))


def locked_free(approval_ids: Collection[UUID]) -> list[Held]:
    """Those of these requests that can be locked now. Who waits for nobody while holding many stands in no circle."""
    found = Approval.objects.filter(pk__in=approval_ids).values_list("pk", "session_id", "wait_id")
    rows = AgentSession.objects.filter(pk__in={session_id for _, session_id, _ in found})
    agents = {session.pk: session for session in rows.select_for_update(no_key=True, skip_locked=True)}
    asked = SessionWait.objects.filter(pk__in={wait_id for _, _, wait_id in found}, session__in=agents)
    held_waits = {wait.pk: wait for wait in asked.select_for_update(no_key=True, skip_locked=True)}
    requests = Approval.objects.filter(pk__in=approval_ids, wait__in=held_waits)
    free = requests.select_for_update(no_key=True, skip_locked=True)
    return [Held(agents[one.session_id], held_waits[one.wait_id], one) for one in free]


def _refusal(now: Approval) -> AlreadyDecided | StaleVersion:
    if now.status == ApprovalStatus.PENDING:
        return StaleVersion(version=now.version)
    return AlreadyDecided(
        f"{now.get_status_display()} by {now.decider}.",
        status=now.status,
        by=now.decider,
        at=now.decided_at,
        approval_id=now.pk,
    )
