"""All tables but memory's."""

from agents.models.accounts import AuditEntry, Membership, Project, User
from agents.models.approvals import Absence, Approval, Sight, Vote
from agents.models.budgets import Budget, Spending
from agents.models.coordination import (
    AgentCommunication,
    AgentCoordination,
    AgentParticipant,
    AgentWorkflow,
    CommunicationReading,
)
from agents.models.details import Detail
from agents.models.events import AgentEvent, EventArchive, EventConsumer, EventHead, EventSnapshot
from agents.models.letters import DeadLetter
from agents.models.messages import AgentMessage, ModelCall
from agents.models.notifications import (
    Delivery,
    DeliveryAttempt,
    Mailbox,
    NoticeChoice,
    PushSubscription,
    Webhook,
)
from agents.models.policies import ApprovalRule, PolicyVersion
from agents.models.reuse import KeptResult
from agents.models.rewinds import Rewind
from agents.models.sessions import AgentRun, AgentSession, SessionLease, SessionWait
from agents.models.signals import Signal, SignalDelivery
from agents.models.states import AgentState, ChannelVersion, StateValue, StateWrite, ValueSpace
from agents.models.tokens import ApiToken
from agents.models.tools import ToolExecution
from agents.models.upkeep import Pruning

__all__ = [
    "Absence",
    "AgentCommunication",
    "AgentCoordination",
    "AgentEvent",
    "AgentMessage",
    "AgentParticipant",
    "AgentRun",
    "AgentSession",
    "AgentState",
    "AgentWorkflow",
    "ApiToken",
    "Approval",
    "ApprovalRule",
    "AuditEntry",
    "Budget",
    "ChannelVersion",
    "CommunicationReading",
    "DeadLetter",
    "Delivery",
    "DeliveryAttempt",
    "Detail",
    "EventArchive",
    "EventConsumer",
    "EventHead",
    "EventSnapshot",
    "KeptResult",
    "Mailbox",
    "Membership",
    "ModelCall",
    "NoticeChoice",
    "PolicyVersion",
    "Project",
    "Pruning",
    "PushSubscription",
    "Rewind",
    "SessionLease",
    "SessionWait",
    "Sight",
    "Signal",
    "SignalDelivery",
    "Spending",
    "StateValue",
    "StateWrite",
    "ToolExecution",
    "User",
    "ValueSpace",
    "Vote",
    "Webhook",
]
