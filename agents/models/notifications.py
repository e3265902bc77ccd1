"""Who wants to be told what, how that is reached, and what was sent of it."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from agents.ids import new_id
from agents.models.accounts import Project
from agents.models.approvals import Approval
from agents.models.fields import choices, one_of
from agents.words import Channel, DeliveryStatus, Occasion


class NoticeChoice(models.Model):
    """A person wants to be told of an occasion in a project by a channel. Without a row: not."""

    choice_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notice_choices")
    channel = models.TextField(choices=choices(Channel))
    occasion = models.TextField(choices=choices(Occasion))

    class Meta:
        db_table = "notice_choices"
        constraints = [
            models.UniqueConstraint(fields=["project", "user", "channel", "occasion"], name="notice_choice_once"),
            models.CheckConstraint(
                condition=Q(channel__in=[Channel.BROWSER, Channel.MAIL]) & ~Q(occasion=Occasion.TEST),
                name="notice_choice_channel",
            ),
            one_of("occasion", Occasion, "notice_choice_occasion"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.occasion} by {self.channel}"


class Mailbox(models.Model):
    """Where a person gets mail about requests, and when the next one may be sent: one a minute."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="mailbox"
    )
    address = models.TextField(default="", db_default="")
    next_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "notice_mailboxes"

    def __str__(self) -> str:
        return f"{self.user_id} at {self.address}"


class PushSubscription(models.Model):
    """One browser of a person, as its push service knows it. It ends when the person signs out there."""

    subscription_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="push_subscriptions")
    endpoint = models.TextField(unique=True)
    key = models.TextField()
    auth = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "push_subscriptions"

    def __str__(self) -> str:
        return f"a browser of {self.user_id}"


class Webhook(models.Model):
    """An address that a project tells of occasions. Its secrets are stored encrypted, each with its kind.

    The secret before the last change signs, too, until `old_until`. `disabled_why` says why nothing is sent. A removed
    one keeps its log until that is old.
    """

    webhook_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="webhooks")
    name = models.TextField()
    url = models.TextField()
    occasions = ArrayField(models.TextField(choices=choices(Occasion)))
    with_arguments = models.BooleanField(default=False, db_default=False)
    secret_kind = models.TextField()
    secret = models.BinaryField()
    old_secret_kind = models.TextField(default="", db_default="")
    old_secret = models.BinaryField(null=True)
    old_until = models.DateTimeField(null=True)
    disabled_why = models.TextField(default="", db_default="")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    removed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "webhooks"
        indexes = [models.Index(fields=["project"], name="webhook_kept", condition=Q(removed_at__isnull=True))]

    def __str__(self) -> str:
        return f"{self.name} of {self.project_id}"


class Delivery(models.Model):
    """One occasion for one recipient: a person's mailbox, one of their browsers, or a webhook.

    Its id follows from `key`, which names the occasion, and from the recipient, so it is made once; to a webhook it is
    the message's id. Whoever sends it moves `next_at` on first, and is alone with it until then. `attempts` is what
    was begun of its tries. `detail` holds what the event says beside the request's row.
    """

    delivery_id = models.UUIDField(primary_key=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    approval = models.ForeignKey(Approval, on_delete=models.CASCADE, null=True, related_name="deliveries")
    key = models.TextField()
    occasion = models.TextField(choices=choices(Occasion))
    channel = models.TextField(choices=choices(Channel))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+")
    subscription = models.ForeignKey(PushSubscription, on_delete=models.CASCADE, null=True, related_name="deliveries")
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, null=True, related_name="deliveries")
    detail = models.JSONField(default=dict, db_default={})
    happened_at = models.DateTimeField()
    status = models.TextField(
        choices=choices(DeliveryStatus), default=DeliveryStatus.PENDING, db_default=DeliveryStatus.PENDING
    )
    attempts = models.IntegerField(default=0, db_default=0)
    next_at = models.DateTimeField(db_default=Now())
    why = models.TextField(default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "notice_deliveries"
        indexes = [
            models.Index(fields=["channel", "next_at"], name="delivery_due", condition=Q(status="pending")),
            models.Index(fields=["webhook", "-created_at"], name="delivery_of_webhook"),
            models.Index(fields=["created_at"], name="delivery_by_age"),
        ]
        constraints = [
            one_of("occasion", Occasion, "delivery_occasion"),
            one_of("channel", Channel, "delivery_channel"),
            one_of("status", DeliveryStatus, "delivery_status"),
            models.CheckConstraint(
                condition=Q(channel=Channel.MAIL, user__isnull=False, subscription__isnull=True, webhook__isnull=True)
                | Q(channel=Channel.BROWSER, user__isnull=False, subscription__isnull=False, webhook__isnull=True)
                | Q(channel=Channel.WEBHOOK, user__isnull=True, subscription__isnull=True, webhook__isnull=False),
                name="delivery_recipient",
            ),
            models.CheckConstraint(
                condition=Q(occasion=Occasion.TEST, approval__isnull=True)
                | (~Q(occasion=Occasion.TEST) & Q(approval__isnull=False)),
                name="delivery_approval",
            ),
            models.UniqueConstraint(
                fields=["key", "channel", "user", "subscription", "webhook"], name="delivery_once", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return f"{self.occasion} by {self.channel}: {self.status}"


class DeliveryAttempt(models.Model):
    """One try of a delivery and what came of it: `code` is the answer's status, 0 without an answer."""

    attempt_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="tries")
    number = models.IntegerField()
    code = models.IntegerField(default=0, db_default=0)
    milliseconds = models.IntegerField(default=0, db_default=0)
    answer = models.TextField(default="", db_default="")
    error = models.TextField(default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "notice_attempts"
        indexes = [models.Index(fields=["delivery", "created_at"], name="attempt_of_delivery")]

    def __str__(self) -> str:
        return f"try {self.number} of {self.delivery_id}: {self.code or self.error}"
