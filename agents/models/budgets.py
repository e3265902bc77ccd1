"""What agents may spend, and what they have spent."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from agents.models.accounts import Project
from agents.models.sessions import AgentSession


class Budget(models.Model):
    """What an agent and all below it may spend together; no limit where there is null. `seconds` are of work.

    `round` counts how often it was used up; `warned` names the limits of which four fifths are spent.
    """

    session = models.OneToOneField(AgentSession, on_delete=models.CASCADE, primary_key=True, related_name="budget")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    tokens = models.BigIntegerField(null=True)
    cost = models.DecimalField(null=True, max_digits=14, decimal_places=6)
    seconds = models.BigIntegerField(null=True)
    steps = models.BigIntegerField(null=True)
    children = models.BigIntegerField(null=True)
    round = models.IntegerField(default=1, db_default=1)
    warned = ArrayField(models.TextField(), default=list, db_default=[])

    class Meta:
        db_table = "agent_budgets"

    def __str__(self) -> str:
        return f"budget of {self.session_id}"


class Spending(models.Model):
    """What one agent has spent: a row of its own, so that agents of a mission never wait for each other's."""

    session = models.OneToOneField(AgentSession, on_delete=models.CASCADE, primary_key=True, related_name="spending")
    tokens = models.BigIntegerField(default=0, db_default=0)
    cost = models.DecimalField(max_digits=14, decimal_places=6, default=0, db_default=0)
    milliseconds = models.BigIntegerField(default=0, db_default=0)
    steps = models.BigIntegerField(default=0, db_default=0)
    children = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "agent_spending"

    def __str__(self) -> str:
        return f"spent by {self.session_id}"
