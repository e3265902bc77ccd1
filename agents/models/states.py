"""Checkpoints of agents and the values that they name."""

from django.db import models

from agents.ids import new_id


class ValueSpace(models.Model):
    """Who shares stored values: one mission. The epoch rises with each deletion in it."""

    space_id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    epoch = models.BigIntegerField(default=1, db_default=1)

    class Meta:
        db_table = "agent_value_spaces"

    def __str__(self) -> str:
        return str(self.space_id)
