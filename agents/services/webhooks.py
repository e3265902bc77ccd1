"""A project's webhooks: where they go, what they tell, and what signs them. Secrets come and are kept encrypted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from agents.errors import InvalidInput, InvalidTransition, NotFound, StaleVersion
from agents.ids import new_id
from agents.models import Delivery, Project, User, Webhook
from agents.services import audit
from agents.words import OCCASIONS, Channel, DeliveryStatus, Occasion

OVERLAP = timedelta(hours=24)  # in which the secret before signs, too
MOST = 20  # webhooks of a project
LONGEST_NAME, LONGEST_URL = 100, 2000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person wrote of a webhook. `occasions` are those that it is told of."""

    name: str
    url: str
    occasions: Sequence[str]
    with_arguments: bool = False


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted secret, and how it is encrypted."""

    kind: str
    data: bytes


def check(wanted: Wanted) -> None:
    """Raise InvalidInput with a message for each bad field."""
    faults = {
        "name": _fault_of_name(wanted.name),
        "url": _fault_of_url(wanted.url),
        "occasions": "" if wanted.occasions and set(wanted.occasions) <= set(OCCASIONS) else "Choose at least one.",
    }
    if found := {name: fault for name, fault in faults.items() if fault}:
        raise InvalidInput(fields=found)


def _fault_of_name(name: str) -> str:
    is_good = 0 < len(name.strip()) <= LONGEST_NAME and name.isprintable()
    return "" if is_good else f"Give it a name of up to {LONGEST_NAME} characters."


def _fault_of_url(url: str) -> str:
    if len(url) > LONGEST_URL:
        return f"An address has {LONGEST_URL} characters at most."
    try:
        return _fault_of_parts(urlsplit(url), url)
    except ValueError:
        return "This is no address."


def _fault_of_parts(parts: SplitResult, url: str) -> str:
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable() or " " in url:
        return "Give an address such as https://example.com/hook."
    if parts.username is not None or parts.password is not None:
        return "An address that holds a password would be shown to all admins; leave it out."
    if parts.port == 0:
        return "There is no port 0."
    return ""


@transaction.atomic
def make(project_id: UUID, webhook_id: UUID, wanted: Wanted, sealed: Sealed, *, by: User) -> Webhook:
    """A webhook that is told from now on. Raises InvalidInput, InvalidTransition when it is there already."""
    check(wanted)
    Project.objects.select_for_update(no_key=True).get(pk=project_id)
    if Webhook.objects.filter(pk=webhook_id).exists():
        raise InvalidTransition("This webhook was made by the first press.")
    if Webhook.objects.filter(project=project_id, removed_at__isnull=True).count() >= MOST:
        raise InvalidInput(f"A project has {MOST} webhooks at most.")
    webhook = Webhook.objects.create(
        webhook_id=webhook_id,
        project_id=project_id,
        name=wanted.name.strip(),
        url=wanted.url,
        occasions=sorted(set(wanted.occasions)),
        with_arguments=wanted.with_arguments,
        secret_kind=sealed.kind,
        secret=sealed.data,
        made_by=by,
    )
    _record(webhook, "make", by)
    return webhook


@transaction.atomic
def change(webhook_id: UUID, wanted: Wanted, *, by: User) -> Webhook:
    """Other things of the same webhook; one that was disabled is told again. Raises InvalidInput, NotFound."""
    check(wanted)
    webhook = _locked(webhook_id)
    webhook.name, webhook.url, webhook.disabled_why = wanted.name.strip(), wanted.url, ""
    webhook.occasions, webhook.with_arguments = sorted(set(wanted.occasions)), wanted.with_arguments
    webhook.save(update_fields=["name", "url", "occasions", "with_arguments", "disabled_why"])
    _record(webhook, "change", by)
    return webhook


@transaction.atomic
def rotate(webhook_id: UUID, sealed: Sealed, *, expected: str, by: User) -> Webhook:
    """Another secret; the one before signs beside it for a day. Raises NotFound.

    `expected` names the secret that was seen, so that a second press does not end the overlap. Raises StaleVersion.
    """
    webhook = _locked(webhook_id)
    if name_of_secret(webhook) != expected:
        raise StaleVersion("Its secret was changed a moment ago.")
    webhook.old_secret_kind, webhook.old_secret = webhook.secret_kind, webhook.secret
    webhook.old_until = timezone.now() + OVERLAP
    webhook.secret_kind, webhook.secret = sealed.kind, sealed.data
    webhook.save(update_fields=["old_secret_kind", "old_secret", "old_until", "secret_kind", "secret"])
    _record(webhook, "rotate", by)
    return webhook


def name_of_secret(webhook: Webhook) -> str:
    """Tells its secret from others, and nothing else of it."""
    return blake2b(bytes(webhook.secret), digest_size=8, person=b"webhook").hexdigest()


@transaction.atomic
def remove(webhook_id: UUID, *, by: User) -> Webhook:
    """Tell it nothing any more; its secrets are deleted. Raises NotFound."""
    webhook = _locked(webhook_id)
    webhook.removed_at, webhook.secret, webhook.old_secret = timezone.now(), b"", None
    webhook.save(update_fields=["removed_at", "secret", "old_secret"])
    _record(webhook, "remove", by)
    return webhook


@transaction.atomic
def send_test(webhook_id: UUID, *, by: User) -> Delivery:
    """Put a test into its log, to be sent at once. Raises NotFound, InvalidTransition for one that is disabled."""
    webhook = _sending(webhook_id)
    made = new_id()
    delivery = Delivery.objects.create(
        delivery_id=made,
        project_id=webhook.project_id,
        key=str(made),
        occasion=Occasion.TEST,
        channel=Channel.WEBHOOK,
        webhook=webhook,
        happened_at=timezone.now(),
    )
    _record(webhook, "test", by)
    return delivery


@transaction.atomic
def send_again(delivery_id: UUID, *, by: User) -> Delivery:
    """Send what was sent or given up once more, under the same id, with all its tries.

    Raises NotFound, InvalidTransition for a webhook that is disabled, and for what is about to be sent.
    """
    delivery = Delivery.objects.filter(pk=delivery_id, webhook__isnull=False).first()
    if delivery is None or delivery.webhook_id is None:
        raise NotFound
    webhook = _sending(delivery.webhook_id)
    again = Delivery.objects.filter(pk=delivery_id).exclude(status=DeliveryStatus.PENDING, next_at__lte=Now())
    if not again.update(status=DeliveryStatus.PENDING, attempts=0, next_at=Now(), ended_at=None, why=""):
        raise InvalidTransition("It is about to be sent.")
    _record(webhook, "send_again", by)
    delivery.refresh_from_db()
    return delivery


def _sending(webhook_id: UUID) -> Webhook:
    webhook = _locked(webhook_id)
    if webhook.disabled_why:
        raise InvalidTransition("It is disabled; save it to enable it again.")
    return webhook


def _locked(webhook_id: UUID) -> Webhook:
    found = Webhook.objects.select_for_update(no_key=True).filter(pk=webhook_id, removed_at__isnull=True).first()
    if found is None:
        raise NotFound
    return found


def forget_old_secrets() -> int:
    """Delete the secrets that sign nothing any more; how many."""
    over = Webhook.objects.filter(old_until__lt=Now(), old_secret__isnull=False)
    return over.update(old_secret=None, old_secret_kind="", old_until=None)


def _record(webhook: Webhook, act: str, by: User) -> None:
    audit.record(
        by.pk,
        f"webhook.{act}",
        project_id=webhook.project_id,
        target=("webhook", webhook.pk),
        detail={"occasions": webhook.occasions, "with_arguments": webhook.with_arguments},
    )
