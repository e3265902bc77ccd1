"""Webhooks of a project: its admins make, change and remove them, and look at what was sent."""

from dataclasses import dataclass
from uuid import UUID

from agents import access
from agents.errors import NotFound
from agents.events import causes
from agents.models import Delivery, User, Webhook
from agents.roles import Role
from agents.services import webhooks
from agents.services.webhooks import Wanted as Wanted  # forms write it
from orchestrator.notices import sealing


@dataclass(frozen=True, slots=True)
class Made:
    """A webhook with its secret, which is shown only now."""

    webhook: Webhook
    secret: str


@causes.act()
def make(user: User, project_id: UUID, webhook_id: UUID, wanted: Wanted) -> Made:
    """A new webhook. `webhook_id` was drawn with the form, so that a double press makes one.

    Raises NotFound, Forbidden, InvalidInput with a message for each bad field, InvalidTransition when it is there.
    """
    access.project_for(user, project_id, role=Role.ADMIN)
    secret = sealing.made()
    return Made(webhooks.make(project_id, webhook_id, wanted, sealing.sealed(secret), by=user), secret)


@causes.act()
def change(user: User, webhook_id: UUID, wanted: Wanted) -> Webhook:
    """Other things of it; this enables one that was disabled. Raises NotFound, Forbidden, InvalidInput."""
    access.webhook_for(user, webhook_id)
    return webhooks.change(webhook_id, wanted, by=user)


@causes.act()
def rotate(user: User, webhook_id: UUID, *, expected: str) -> Made:
    """Another secret; the one before signs beside it for a day. Raises NotFound, Forbidden, StaleVersion."""
    access.webhook_for(user, webhook_id)
    secret = sealing.made()
    return Made(webhooks.rotate(webhook_id, sealing.sealed(secret), expected=expected, by=user), secret)


@causes.act()
def remove(user: User, webhook_id: UUID) -> Webhook:
    """Tell it nothing any more. Raises NotFound, Forbidden."""
    access.webhook_for(user, webhook_id)
    return webhooks.remove(webhook_id, by=user)


@causes.act()
def send_test(user: User, webhook_id: UUID) -> Delivery:
    """Send it a test. Raises NotFound, Forbidden, InvalidTransition for one that is disabled."""
    access.webhook_for(user, webhook_id)
    return webhooks.send_test(webhook_id, by=user)


@causes.act()
def send_again(user: User, webhook_id: UUID, delivery_id: UUID) -> Delivery:
    """Send it something once more, under the same id. Raises NotFound, Forbidden, InvalidTransition."""
    access.webhook_for(user, webhook_id)
    if not Delivery.objects.filter(pk=delivery_id, webhook=webhook_id).exists():
        raise NotFound
    return webhooks.send_again(delivery_id, by=user)


def name_of_secret(webhook: Webhook) -> str:
    """What a press of the button that changes its secret expects."""
    return webhooks.name_of_secret(webhook)
