"""Levels of agents and roles of people: who may start whom, who may do what."""

from enum import StrEnum


class Level(StrEnum):
    """The four levels of the hierarchy."""

    QUEEN = "queen"
    ARCHITECT = "architect"
    SPECIALIST = "specialist"
    WORKER = "worker"

    @property
    def with_article(self) -> str:
        """As a sentence names one: a queen, an architect."""
        return f"{'an' if self is Level.ARCHITECT else 'a'} {self}"


MAY_START: dict[Level, frozenset[Level]] = {
    Level.QUEEN: frozenset({Level.ARCHITECT, Level.WORKER}),
    Level.ARCHITECT: frozenset({Level.SPECIALIST}),
    Level.SPECIALIST: frozenset({Level.WORKER}),
    Level.WORKER: frozenset(),
}
MAX_FAN_OUT: dict[Level, int] = {Level.QUEEN: 12, Level.ARCHITECT: 16, Level.SPECIALIST: 32, Level.WORKER: 0}
MAX_DEPTH = 3  # a worker stands three below its queen


class Role(StrEnum):
    """What a person may do in a project. Each includes the ones before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


DECIDING = (Role.APPROVER, Role.ADMIN)
_RANK = {role: rank for rank, role in enumerate(Role)}


def higher(one: Role, other: Role) -> Role:
    """The one of two roles that may do more."""
    return max(one, other, key=_RANK.__getitem__)


def includes(role: Role, wanted: Role) -> bool:
    """Does `role` allow what `wanted` allows?"""
    return _RANK[role] >= _RANK[wanted]
