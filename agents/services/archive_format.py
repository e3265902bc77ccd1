"""The file of a session: version 1 of its format. Everything that is read from one goes through here."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from agents.lifecycle import ExecutionStatus, Policy, Risk, RunStatus, SessionStatus
from agents.roles import Level
from agents.words import MessageType

FORMAT = "queenright.session"
VERSION = 1

Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Short = Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=200)]


class Record(BaseModel):
    """A part of the file: unknown names are refused, so that nothing is lost in silence."""

    model_config = ConfigDict(extra="forbid")


class SessionRecord(Record):
    """The session itself."""

    session_id: UUID
    agent_type: Short
    level: Level
    name: Short
    goal: Text
    activity: Text
    status: SessionStatus
    priority: Annotated[int, Field(ge=-32768, le=32767)]
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    metadata: dict[str, JsonValue]


class RunRecord(Record):
    """One turn of it."""

    run_id: UUID
    number: Annotated[int, Field(ge=1, le=2**31 - 1)]
    command: Short
    input: JsonValue
    status: RunStatus
    output: JsonValue
    error: Text
    error_code: Short
    created_at: AwareDatetime
    finished_at: AwareDatetime | None


class MessageRecord(Record):
    """What it said."""

    message_id: UUID
    parent_id: UUID | None
    message_type: MessageType
    role: Short
    content: Text
    metadata: dict[str, JsonValue]
    created_at: AwareDatetime


class ToolRecord(Record):
    """A tool call of it."""

    execution_id: UUID
    call_key: Text
    tool_name: Short
    tool_version: Short
    risk: Risk
    policy: Policy
    intent: Text
    input_data: JsonValue
    input_digest: Short
    effective_data: JsonValue
    output_data: JsonValue
    status: ExecutionStatus
    error_message: Text
    execution_time_ms: Annotated[int, Field(ge=0, le=2**31 - 1)] | None
    cost_estimate: Annotated[str, Field(pattern=r"^\d{1,4}(\.\d{1,6})?$")]
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    completed_at: AwareDatetime | None


class EventRecord(Record):
    """An event of it. `schema_version` is the version of its type's fields."""

    event_type: Short
    schema_version: int = 1
    data: dict[str, JsonValue]
    actor: Short
    timestamp: AwareDatetime


class WriteRecord(Record):
    """What one task wrote on top of a checkpoint: channels, each with a reference to its value."""

    task_id: Short
    task_path: Text
    writes: list[tuple[Text, Any]]


class CheckpointRecord(Record):
    """A checkpoint; `checkpoints.archives` explains `values` and the references in `channels`."""

    ns: Text
    checkpoint_id: UUID
    parent_id: UUID | None
    name: Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=80)]
    created_at: AwareDatetime
    is_current: bool
    metadata: dict[str, JsonValue]
    checkpoint: dict[str, JsonValue]
    values: dict[str, Any]
    channels: dict[str, Any]
    tasks: list[WriteRecord]


class DetailRecord(Record):
    """What the session's states and results name by reference: `detail` is the reference."""

    detail: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    kind: Short
    summary: Text
    size: Annotated[int, Field(ge=0)]
    body: JsonValue


class ArchiveRecord(Record):
    """The whole file. `damaged` are ids of checkpoints that could not be read when it was written."""

    format: Literal["queenright.session"]
    version: Literal[1]
    exported_at: datetime
    session: SessionRecord
    runs: list[RunRecord]
    messages: list[MessageRecord]
    tools: list[ToolRecord]
    events: list[EventRecord]
    checkpoints: list[CheckpointRecord]
    details: list[DetailRecord] = []
    damaged: list[UUID]
