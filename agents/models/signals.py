"""Signals by name: sent to a mission, kept until an agent of it waits for them."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from agents.models.accounts import Project
from agents.models.sessions import AgentSession, SessionWait


class Signal(models.Model):
    """One signal. To `everyone`: each agent of the mission gets it once; else it is taken by exactly one wait."""

    signal_id = models.UUIDField(primary_key=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    mission = models.ForeignKey(AgentSession, on_delete=models.CASCADE, related_name="signals")
    name = models.TextField()
    payload = models.JSONField(null=True)
    everyone = models.BooleanField(default=False, db_default=False)
    sender = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    taken_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "signals"
        indexes = [
            models.Index(
                fields=["mission", "name", "created_at"], name="signal_kept", condition=Q(taken_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} to {self.mission_id}"


class SignalDelivery(models.Model):
    """Which wait a signal answered."""

    delivery_id = models.UUIDField(primary_key=True, editable=False)
    signal = models.ForeignKey(Signal, on_delete=models.CASCADE, related_name="deliveries")
    session = models.ForeignKey(AgentSession, on_delete=models.CASCADE, related_name="+")
    wait = models.OneToOneField(SessionWait, on_delete=models.CASCADE, related_name="delivery")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "signal_deliveries"
        constraints = [models.UniqueConstraint(fields=["signal", "session"], name="signal_delivered_once")]

    def __str__(self) -> str:
        return f"{self.signal_id} to {self.session_id}"
