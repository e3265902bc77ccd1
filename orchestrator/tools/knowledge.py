"""Searching the mission's sources, reading a passage, remembering what it says."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from agents.errors import InvalidInput
from agents.lifecycle import Policy, Risk
from agents.models import AgentSession
from memory.services import memories
from memory.services.memories import Note
from memory.words import MemoryType
from orchestrator.sources import MissionSources
from orchestrator.tools.tool import Arguments, Caller, Reuse, Tool

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]


class SearchSources(Arguments):
    """What to look for, and how many passages at most."""

    query: Text
    limit: int = Field(10, ge=1, le=50)


class ReadPassage(Arguments):
    """Which passage."""

    passage_id: UUID


class Remember(Arguments):
    """A statement, the passage that makes it, and how much it matters, 0 to 1."""

    statement: Text
    passage_id: UUID
    importance: float = Field(0.5, ge=0, le=1)


def search_sources(caller: Caller, arguments: SearchSources) -> dict[str, Any]:
    """The passages nearest to the query, best first, without their texts."""
    found = MissionSources(caller.mission_id).search(arguments.query, arguments.limit)
    return {
        "hits": [
            {"passage_id": hit.passage_id, "source": hit.source, "heading": hit.heading, "score": round(hit.score, 4)}
            for hit in found
        ]
    }


def read_passage(caller: Caller, arguments: ReadPassage) -> dict[str, Any]:
    """The passage as the mission's source has it. Raises InvalidInput when the mission has no such passage."""
    for passage in MissionSources(caller.mission_id).passages([str(arguments.passage_id)]):
        return passage.model_dump(mode="json")
    raise InvalidInput(fields={"passage_id": "This mission has no such passage."})


def remember(caller: Caller, arguments: Remember) -> dict[str, Any]:
    """Keep the statement in the project's memory, once."""
    session = AgentSession.objects.get(pk=caller.session_id)
    kept = memories.remember(
        session,
        Note(
            text=arguments.statement,
            memory_type=MemoryType.SEMANTIC,
            importance=arguments.importance,
            passage_id=arguments.passage_id,
            execution_id=caller.execution_id,
        ),
    )
    return {"memory_id": str(kept.pk)}


def _tool(name: str, title: str, arguments: type[Any], run: Any, *, reads_only: bool) -> Tool[Any]:
    return Tool(
        name=name,
        version="1",
        title=title,
        risk=Risk.LOW,
        policy=Policy.RUN,
        idempotent=True,
        arguments=arguments,
        run=run,
        reads_only=reads_only,
        reuse=Reuse.MISSION if reads_only else None,  # a mission's sources stay as they are
    )


SEARCH_SOURCES = _tool("search_sources", "Search the sources", SearchSources, search_sources, reads_only=True)
READ_PASSAGE = _tool("read_passage", "Read a passage", ReadPassage, read_passage, reads_only=True)
REMEMBER = _tool("remember", "Remember a finding", Remember, remember, reads_only=False)
