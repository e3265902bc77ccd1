"""Pieces that several tables share."""

from enum import StrEnum

from django.db import models


def one_of(field: str, values: type[StrEnum], name: str) -> models.CheckConstraint:
    """A constraint: the column holds a value of the enumeration."""
    return models.CheckConstraint(condition=models.Q(**{f"{field}__in": [str(v) for v in values]}), name=name)


def choices(values: type[StrEnum]) -> list[tuple[str, str]]:
    """The enumeration as Django's choices."""
    return [(str(v), str(v).replace("_", " ").capitalize()) for v in values]
