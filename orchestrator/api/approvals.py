"""Requests to people: listed, read, decided."""

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from ninja import Header, Query, Router

from agents import access
from agents.errors import InvalidInput
from agents.models import Project, User
from agents.selectors import approvals as selectors
from agents.selectors import decisions
from orchestrator import paging
from orchestrator.actions import approvals, trails
from orchestrator.api import answers, bodies, callers
from orchestrator.api.answers import (
    ApprovalPage,
    DecidedApproval,
    DecidedPage,
    ListedApproval,
    OneApproval,
    Outcomes,
    TrailOut,
)
from orchestrator.api.bodies import Asked, AskedDecided, Assign, Decide, DecideMany, Listed
from orchestrator.api.errors import documented, telling_what_stands

router = Router(tags=["approvals"])
IdempotencyKey = Annotated[str, Header(alias="Idempotency-Key", description="In place of `key` in the body.")]


@router.get("/approvals", response=documented(ApprovalPage), operation_id="list_approvals", summary="Open requests")
def listed(request: HttpRequest, asked: Query[Asked]) -> ApprovalPage:
    """The open requests of a project that fit every filter: deadlines first, then by risk, then the oldest."""
    user, project = _enter(request, asked)
    filters = selectors.asked(asked.filters(), user.pk)
    found = selectors.listed_after(project.pk, filters, paging.read(asked.cursor), asked.limit + 1)
    shown = found[: asked.limit]
    return ApprovalPage(
        approvals=[ListedApproval(**ListedApproval.facts(one)) for one in shown],
        next=paging.after(shown[-1]) if len(found) > len(shown) else None,
    )


@router.get(
    "/approvals/decided",
    response=documented(DecidedPage),
    operation_id="list_decided_approvals",
    summary="Decided requests",
)
def decided(request: HttpRequest, asked: Query[AskedDecided]) -> DecidedPage:
    """The decided requests of a project that fit every filter, the newest decision first."""
    user, project = _enter(request, asked)
    filters = decisions.asked(asked.filters(), user.pk)
    found = decisions.listed_after(project.pk, filters, paging.read_decided(asked.cursor), asked.limit + 1)
    shown = found[: asked.limit]
    return DecidedPage(
        approvals=[DecidedApproval.of(one) for one in shown],
        next=paging.after_decision(shown[-1]) if len(found) > len(shown) else None,
    )


def _enter(request: HttpRequest, asked: Listed) -> tuple[User, Project]:
    """Who asks for which project. Raises InvalidInput for filters that are not known, NotFound."""
    if unknown := set(request.GET) - set(type(asked).model_fields):
        raise InvalidInput(fields=dict.fromkeys(sorted(unknown), "There is no such filter."))
    user = callers.of(request).user
    return user, access.project_for(user, asked.project)


@router.get(
    "/approvals/{uuid:approval_id}",
    response=documented(OneApproval),
    operation_id="get_approval",
    summary="One request",
)
def one(request: HttpRequest, approval_id: UUID) -> OneApproval:
    """A request with all that a decision needs. Its trail says that you saw it, as on the page."""
    caller = callers.of(request)
    approval = access.approval_for(caller.user, approval_id)
    with caller.acting():
        approvals.see(caller.user, approval)
    return OneApproval.of(approval, caller.user)


@router.get(
    "/approvals/{uuid:approval_id}/trail",
    response=documented(TrailOut),
    operation_id="get_trail",
    summary="What happened to a request",
)
def trail(request: HttpRequest, approval_id: UUID) -> TrailOut:
    """Who asked, who saw it, who decided on what, what ran and what came of it."""
    approval = access.approval_for(callers.of(request).user, approval_id)
    return TrailOut.model_validate(trails.show(approval).as_json())


@router.post(
    "/approvals/{uuid:approval_id}/decide",
    response=documented(OneApproval, 409, 413),
    operation_id="decide_approval",
    summary="Decide a request",
)
def decide(request: HttpRequest, approval_id: UUID, body: Decide, idempotency_key: IdempotencyKey = "") -> OneApproval:
    """Decide, once. The request as it is then: still open where others must approve it, too."""
    caller = callers.of(request)
    with caller.acting(), telling_what_stands(caller.user, approval_id):
        decided = approvals.decide(
            caller.user,
            approval_id,
            verdict=body.verdict,
            version=body.version,
            arguments=body.arguments,
            reason=body.reason,
            tool=body.tool,
            answer=body.answer,
            key=bodies.key(body.key, idempotency_key),
        )
    return OneApproval.of(decided, caller.user)


@router.post(
    "/approvals/decide",
    response=documented(Outcomes, 413),
    operation_id="decide_many_approvals",
    summary="Decide many requests alike",
)
def decide_many(request: HttpRequest, body: DecideMany, idempotency_key: IdempotencyKey = "") -> Outcomes:
    """Decide up to 500 requests, each by itself, as they were proposed. What stops one stops no other."""
    caller = callers.of(request)
    with caller.acting():
        outcomes = approvals.decide_many(
            caller.user,
            [(one.id, one.version) for one in body.requests],
            verdict=body.verdict,
            reason=body.reason,
            key=bodies.key(body.key, idempotency_key),
        )
    return answers.Outcomes.of(outcomes)


@router.post(
    "/approvals/{uuid:approval_id}/undo",
    response=documented(OneApproval, 409),
    operation_id="undo_decision",
    summary="Take a decision back",
)
def undo(request: HttpRequest, approval_id: UUID) -> OneApproval:
    """Take your own decision back, until the agent is told."""
    caller = callers.of(request)
    with caller.acting(), telling_what_stands(caller.user, approval_id):
        undone = approvals.undo(caller.user, approval_id)
    return OneApproval.of(undone, caller.user)


@router.post(
    "/approvals/{uuid:approval_id}/assign",
    response=documented(OneApproval, 409, 413),
    operation_id="assign_approval",
    summary="Say for whom a request is",
)
def assign(request: HttpRequest, approval_id: UUID, body: Assign) -> OneApproval:
    """Give an open request to all who have a role, or to one of them."""
    caller = callers.of(request)
    with caller.acting(), telling_what_stands(caller.user, approval_id):
        assigned = approvals.assign(caller.user, approval_id, role=body.role, to=body.to)
    return OneApproval.of(assigned, caller.user)
