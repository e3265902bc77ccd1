"""Words that rows are labelled with: kinds of messages, of communications, of parts in a group."""

from enum import StrEnum


class MessageType(StrEnum):
    """Who speaks in a message."""

    HUMAN = "human"
    AI = "ai"
    TOOL = "tool"
    SYSTEM = "system"


class CommunicationType(StrEnum):
    """What one agent tells another. The first four go with a delegation; a reply answers a request."""

    TASK_ASSIGNMENT = "task_assignment"
    STATUS_UPDATE = "status_update"
    RESULT = "result"
    ERROR = "error"
    REPLY = "reply"
    STRATEGIC_DECISION = "strategic_decision"
    QUALITY_GATE = "quality_gate"
    PERFORMANCE = "performance"
    PEER_MESSAGE = "peer_message"
    DESIGN_CONSISTENCY = "design_consistency"
    RESOURCE_SHARING = "resource_sharing"
    ESCALATION = "escalation"
    KNOWLEDGE_SHARING = "knowledge_sharing"
    VALIDATION = "validation"
    SYNTHESIS = "synthesis"
    RESOURCE_REALLOCATION = "resource_reallocation"
    BATCH = "batch"


class CommunicationOutcome(StrEnum):
    """What became of a request; one that is open has none."""

    OPEN = ""
    ANSWERED = "answered"
    TIMED_OUT = "timed_out"
    DECLINED = "declined"  # whom it went to has ended, or has nothing to say to it
    WITHDRAWN = "withdrawn"  # who asked does not wait any more
    PASSED_ON = "passed_on"  # to the level above, or to people


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


class Occasion(StrEnum):
    """What people and webhooks are told of a request. A test is for a webhook only."""

    ASKED = "asked"
    ASSIGNED = "assigned"
    REMINDED = "reminded"
    ESCALATED = "escalated"
    NEARLY_DUE = "nearly_due"
    EXPIRED = "expired"
    DECIDED = "decided"
    TEST = "test"


OCCASIONS = tuple(one for one in Occasion if one is not Occasion.TEST)
"""Those that can be chosen."""


class Channel(StrEnum):
    """How somebody is told."""

    BROWSER = "browser"
    MAIL = "mail"
    WEBHOOK = "webhook"


class DeliveryStatus(StrEnum):
    """Where a delivery stands. Dropped: there was nobody to tell any more; given up: it never worked."""

    PENDING = "pending"
    SENT = "sent"
    DROPPED = "dropped"
    GIVEN_UP = "given_up"
