"""What a person wants to be told, where mail goes, and which browsers are told."""

from collections.abc import Collection
from urllib.parse import urlsplit
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from agents.errors import InvalidInput
from agents.models import Mailbox, NoticeChoice, PushSubscription, User
from agents.services import audit
from agents.storable import is_storable_text
from agents.words import OCCASIONS, Channel

MOST_BROWSERS = 20  # of a person
LONGEST_ENDPOINT, LONGEST_KEY = 2000, 200
Choice = tuple[str, str]
"""A channel and an occasion."""


@transaction.atomic
def choose(user: User, project_id: UUID, chosen: Collection[Choice], *, address: str | None = None) -> None:
    """Be told of exactly this in a project. `address`: where mail goes, in all projects; None leaves it.

    Raises InvalidInput with a message for each bad field.
    """
    possible = {(str(channel), str(one)) for channel in (Channel.BROWSER, Channel.MAIL) for one in OCCASIONS}
    if not set(chosen) <= possible:
        raise InvalidInput(fields={"chosen": "There is no such choice."})
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if address is not None:
        _send_to(user, address.strip())
    if any(channel == Channel.MAIL for channel, _ in chosen) and not address_of(user):
        raise InvalidInput(fields={"address": "Say where mail goes, or choose none by mail."})
    NoticeChoice.objects.filter(user=user, project=project_id).delete()
    NoticeChoice.objects.bulk_create(
        NoticeChoice(user=user, project_id=project_id, channel=channel, occasion=occasion)
        for channel, occasion in sorted(set(chosen))
    )
    audit.record(
        user.pk,
        "notices.choose",
        project_id=project_id,
        target=("user", user.pk),
        detail={"chosen": [f"{channel}:{occasion}" for channel, occasion in sorted(set(chosen))]},
    )


def _send_to(user: User, address: str) -> None:
    if address:
        try:
            validate_email(address)
        except ValidationError:
            raise InvalidInput(fields={"address": "This is no e-mail address."}) from None
    Mailbox.objects.update_or_create(user=user, defaults={"address": address})


def address_of(user: User) -> str:
    """Where mail to a person goes: what they said here, else the account's address; empty: nowhere."""
    said = Mailbox.objects.filter(user=user).values_list("address", flat=True).first()
    return said or str(getattr(user, User.get_email_field_name(), "") or "")


@transaction.atomic
def subscribe(user: User, *, endpoint: str, key: str, auth: str) -> PushSubscription:
    """Tell this browser, too; one that somebody else used before is this person's now. Raises InvalidInput."""
    if not _is_address(endpoint) or not is_storable_text(endpoint):
        raise InvalidInput(fields={"endpoint": "This is no push service."})
    if not all(0 < len(one) <= LONGEST_KEY and is_storable_text(one) for one in (key, auth)):
        raise InvalidInput(fields={"keys": "The browser gave no keys."})
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    PushSubscription.objects.filter(endpoint=endpoint).exclude(user=user).delete()
    subscription, is_new = PushSubscription.objects.update_or_create(
        endpoint=endpoint, defaults={"user": user, "key": key, "auth": auth}
    )
    oldest = PushSubscription.objects.filter(user=user).order_by("-created_at").values_list("pk", flat=True)
    PushSubscription.objects.filter(pk__in=list(oldest[MOST_BROWSERS:])).delete()
    if is_new:
        audit.record(user.pk, "notices.subscribe", project_id=None, target=("browser", subscription.pk))
    return subscription


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and len(text) <= LONGEST_ENDPOINT


@transaction.atomic
def unsubscribe(user: User, subscription_id: UUID) -> bool:
    """Tell this browser of a person nothing any more; False if that was so already."""
    deleted, _ = PushSubscription.objects.filter(pk=subscription_id, user=user).delete()
    if deleted:
        audit.record(user.pk, "notices.unsubscribe", project_id=None, target=("browser", subscription_id))
    return bool(deleted)
