"""What people are told, and what webhooks were sent."""

from uuid import UUID

from django.db.models import Count, Max, Prefetch, Q, QuerySet

from agents.models import Delivery, DeliveryAttempt, NoticeChoice, PushSubscription, User, Webhook
from agents.words import DeliveryStatus


def chosen(user: User, project_id: UUID) -> set[tuple[str, str]]:
    """The channels and occasions that a person chose in a project. One query."""
    found = NoticeChoice.objects.filter(user=user, project=project_id)
    return set(found.values_list("channel", "occasion"))


def browsers(user: User) -> int:
    """How many browsers of a person are told. One query."""
    return PushSubscription.objects.filter(user=user).count()


def webhooks(project_id: UUID) -> QuerySet[Webhook]:
    """A project's webhooks by name, each with how much is `waiting` and `given_up`, and when it was sent to last."""
    found = Webhook.objects.filter(project=project_id, removed_at__isnull=True).select_related("made_by")
    return found.annotate(
        waiting=Count("deliveries", filter=Q(deliveries__status=DeliveryStatus.PENDING)),
        given_up=Count("deliveries", filter=Q(deliveries__status=DeliveryStatus.GIVEN_UP)),
        sent_at=Max("deliveries__ended_at", filter=Q(deliveries__status=DeliveryStatus.SENT)),
    ).order_by("name", "pk")


def log(webhook: Webhook, limit: int = 100) -> list[Delivery]:
    """The latest deliveries to a webhook, each with its tries. Two queries."""
    tries = Prefetch("tries", DeliveryAttempt.objects.order_by("created_at"))
    found = Delivery.objects.filter(webhook=webhook).select_related("approval").prefetch_related(tries)
    return list(found.order_by("-created_at", "-pk")[:limit])
