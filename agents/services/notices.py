"""Whom to tell what of a request: deliveries are written from the ordered stream of events, once for each recipient.

What is written is committed with how far the stream was read, and ids follow from the event and the recipient: an
event that comes twice, or two readers at once, make nothing twice. Who sends is `deliveries`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from agents.actor import person
from agents.events import rows, stream
from agents.events.reading import Stored
from agents.events.types import ApprovalAssigned, ApprovalDecided, ApprovalReminded, ApprovalRequested, ApprovalUndone
from agents.ids import derived_id
from agents.lifecycle import ApprovalStatus, DecidedBy
from agents.models import (
    AgentEvent,
    Approval,
    Delivery,
    Membership,
    NoticeChoice,
    PushSubscription,
    User,
    Vote,
    Webhook,
)
from agents.policies.policy import Terms
from agents.roles import Role, higher, includes
from agents.services import deadlines, deciders
from agents.storable import is_storable_text
from agents.words import Channel, DeliveryStatus, Occasion

CONSUMER = "notices"
GATHER = 5.0  # seconds that mail waits for more to tell
SOON = timedelta(minutes=15)  # before its deadline a request is nearly due: then, or in the last quarter of its time
OPEN = frozenset({Occasion.ASKED, Occasion.ASSIGNED, Occasion.REMINDED, Occasion.ESCALATED, Occasion.NEARLY_DUE})
"""Occasions that call for a decision: nobody is told of them who need not decide any more."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to a request; `key` names it. `detail` is what its event says beside the request."""

    key: str
    occasion: Occasion
    approval_id: UUID
    at: datetime
    actor: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def follow(most: int = 100) -> int:
    """Write the deliveries of the next events; how many events that were. The first time it begins at this moment."""
    stream.register(CONSUMER, from_now=True)
    return stream.consume(CONSUMER, _handle, most=most)


def _handle(events: Sequence[Stored]) -> None:
    listeners: dict[UUID, Listeners] = {}
    for one in events:
        if isinstance(one.event, ApprovalUndone):
            _take_back(one.aggregate_id)
        elif (happening := happening_of(one)) is not None:
            _write(happening, listeners)


def happening_of(stored: Stored) -> Happening | None:
    """What an event is to those who are told; None: nothing."""
    found = _occasion(stored.event)
    if found is None:
        return None
    occasion, detail = found
    return Happening(str(stored.event_id), occasion, stored.aggregate_id, stored.at, stored.actor, detail)


def _occasion(event: Any) -> tuple[Occasion, dict[str, Any]] | None:
    match event:
        case ApprovalRequested():
            return (Occasion.ASSIGNED if event.assigned_to else Occasion.ASKED), {"role": event.role}
        case ApprovalAssigned():
            return (Occasion.ASSIGNED if event.step is None else Occasion.ESCALATED), {"role": event.role}
        case ApprovalReminded():
            return Occasion.REMINDED, {}
        case ApprovalDecided():
            occasion = Occasion.EXPIRED if event.how == DecidedBy.DEADLINE else Occasion.DECIDED
            how = "" if event.status == ApprovalStatus.WITHDRAWN else event.how
            return occasion, {"status": event.status, "verdict": event.verdict, "how": how, "edited": event.edited}
    return None


def _take_back(approval_id: UUID) -> None:
    """A decision was taken back before anybody was told of it."""
    untold = Delivery.objects.filter(
        approval=approval_id, occasion=Occasion.DECIDED, status=DeliveryStatus.PENDING, attempts=0
    )
    untold.update(status=DeliveryStatus.DROPPED, why="The decision was taken back.", ended_at=Now())


@transaction.atomic
def tell_nearly_due(limit: int = 500) -> int:
    """Write the deliveries of requests whose deadline comes soon; of how many requests."""
    listening = Q(project__in=NoticeChoice.objects.filter(occasion=Occasion.NEARLY_DUE).values("project"))
    hooked = Q(project__in=_open_webhooks().filter(occasions__contains=[Occasion.NEARLY_DUE]).values("project"))
    told = Delivery.objects.filter(approval=OuterRef("pk"), occasion=Occasion.NEARLY_DUE)
    soon = Approval.objects.filter(
        listening | hooked,
        ~Exists(told),
        status=ApprovalStatus.PENDING,
        deadline_at__gt=Now(),
        deadline_at__lte=Now() + SOON,
    )
    listeners: dict[UUID, Listeners] = {}
    now = deadlines.moment(0)
    found = [one for one in soon.order_by("deadline_at")[:limit] if _is_nearly_due(one, now)]
    for approval in found:
        key = f"{Occasion.NEARLY_DUE}:{approval.pk}:{approval.deadline_at:%Y%m%dT%H%M%S}"
        _write(Happening(key, Occasion.NEARLY_DUE, approval.pk, now), listeners)
    return len(found)


def _is_nearly_due(approval: Approval, now: datetime) -> bool:
    if approval.deadline_at is None:
        return False
    return approval.deadline_at - now <= (approval.deadline_at - approval.created_at) / 4


def told_in_page(user: User, approval: Approval, event_type: str) -> Happening | None:
    """What a person's open page is to say of the latest event of this type; None: nothing, it does not concern them."""
    if not is_storable_text(event_type):
        return None
    latest = AgentEvent.objects.filter(aggregate_id=approval.pk, aggregate_type="approval", event_type=event_type)
    happening = next(map(happening_of, map(Stored.of, rows.of_query(latest.order_by("-version")[:1]))), None)
    if happening is None:
        return None
    listeners = Listeners.of(approval.project_id)
    is_wanted = listeners.wants(user.pk, Channel.BROWSER, happening.occasion)
    return happening if is_wanted and user.pk in concerned(approval, happening, listeners.roles) else None


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who of a project belongs to it, wants what, and which webhooks it has."""

    roles: dict[UUID, Role]
    choices: frozenset[tuple[UUID, str, str]]
    webhooks: tuple[Webhook, ...]

    @classmethod
    def of(cls, project_id: UUID) -> "Listeners":
        """Three queries; one where nobody wants anything and there is no webhook."""
        wanted = NoticeChoice.objects.filter(project=project_id).values_list("user_id", "channel", "occasion")
        members = Membership.objects.filter(project=project_id, user__is_active=True)
        return cls(
            {one: Role(role) for one, role in members.values_list("user_id", "role")},
            frozenset(wanted),
            tuple(_open_webhooks().filter(project=project_id)),
        )

    def wants(self, user_id: UUID, channel: Channel, occasion: Occasion) -> bool:
        """Has this person chosen that?"""
        return (user_id, str(channel), str(occasion)) in self.choices


def _open_webhooks() -> Any:
    return Webhook.objects.filter(removed_at__isnull=True, disabled_why="")


def _write(happening: Happening, known: dict[UUID, Listeners]) -> None:
    approval = Approval.objects.select_related("session__root").filter(pk=happening.approval_id).first()
    if approval is None:  # deleted with its mission since
        return
    if approval.project_id not in known:
        known[approval.project_id] = Listeners.of(approval.project_id)
    listeners = known[approval.project_id]
    people = concerned(approval, happening, listeners.roles) if listeners.choices else set()
    made = [*_to_people(approval, happening, listeners, people), *_to_webhooks(approval, happening, listeners)]
    Delivery.objects.bulk_create(made, ignore_conflicts=True)


def concerned(approval: Approval, happening: Happening, roles: dict[UUID, Role]) -> set[UUID]:
    """The members whom this concerns: who may decide; of a decision, who asked for it and who took part.

    Never the person who did it.
    """
    people = set() if happening.occasion is Occasion.DECIDED else _may_decide(approval, roles)
    if happening.occasion in OPEN:
        people = people if approval.status == ApprovalStatus.PENDING else set()
    else:
        voters = Vote.objects.standing().filter(approval=approval).values_list("user_id", flat=True)
        root = approval.session.root
        people |= roles.keys() & {root.user_id, approval.assigned_to_id, *voters}
    return {one for one in people if str(person(one)) != happening.actor}


def _may_decide(approval: Approval, roles: dict[UUID, Role]) -> set[UUID]:
    terms = Terms.model_validate(approval.terms)
    wanted = higher(Role(approval.assigned_role), terms.role)
    able = {one for one, role in roles.items() if includes(role, wanted)}
    if approval.assigned_to_id is not None:
        able &= {approval.assigned_to_id, *deciders.stand_ins(approval)}
    return {one for one in able if not (terms.not_own and approval.session.root.user_id == one)}


def _to_people(
    approval: Approval, happening: Happening, listeners: Listeners, people: Iterable[UUID]
) -> list[Delivery]:
    by_mail = [one for one in people if listeners.wants(one, Channel.MAIL, happening.occasion)]
    by_browser = [one for one in people if listeners.wants(one, Channel.BROWSER, happening.occasion)]
    browsers = PushSubscription.objects.filter(user__in=by_browser) if by_browser else ()
    return [
        *(_row(approval, happening, Channel.MAIL, one, user_id=one) for one in by_mail),
        *(
            _row(approval, happening, Channel.BROWSER, one.pk, user_id=one.user_id, subscription=one)
            for one in browsers
        ),
    ]


def _to_webhooks(approval: Approval, happening: Happening, listeners: Listeners) -> list[Delivery]:
    return [
        _row(approval, happening, Channel.WEBHOOK, one.pk, webhook=one)
        for one in listeners.webhooks
        if happening.occasion in one.occasions
    ]


def _row(approval: Approval, happening: Happening, channel: Channel, recipient: UUID, **to: Any) -> Delivery:
    """A decision that can still be taken back is told when it cannot any more."""
    next_at: Any = deadlines.after(GATHER if channel is Channel.MAIL else 0)
    if happening.occasion is Occasion.DECIDED and approval.dispatched_at is None and approval.effective_at:
        next_at = approval.effective_at
    return Delivery(
        delivery_id=derived_id(approval.pk, "notice", happening.key, channel, recipient),
        project_id=approval.project_id,
        approval=approval,
        key=happening.key,
        occasion=happening.occasion,
        channel=channel,
        detail=happening.detail,
        happened_at=happening.at,
        next_at=next_at,
        **to,
    )
