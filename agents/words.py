"""Words that rows are labelled with: kinds of messages, of communications, of parts in a group."""

from enum import StrEnum


class MessageType(StrEnum):
    """Who speaks in a message."""

    HUMAN = "human"
    AI = "ai"
    TOOL = "tool"
    SYSTEM = "system"


class CommunicationType(StrEnum):
    """What one agent tells another."""

    TASK_ASSIGNMENT = "task_assignment"
    STATUS_UPDATE = "status_update"
    RESULT = "result"
    ERROR = "error"


class ParticipantRole(StrEnum):
    """An agent's part in a group."""

    COORDINATOR = "coordinator"
    DELEGATOR = "delegator"
    SPECIALIST = "specialist"
    WORKER = "worker"


class CoordinationStatus(StrEnum):
    """Where a group of agents stands."""

    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"


class ParticipantStatus(StrEnum):
    """Where one agent of a group stands."""

    ASSIGNED = "assigned"
    COMPLETED = "completed"
    FAILED = "failed"
