"""Who does something: a person, an agent or the system itself."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Actor:
    """Stands in events and in the audit. `kind` is person, agent or system."""

    kind: str
    id: UUID | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}" if self.id else self.kind


SYSTEM = Actor("system")


def person(user_id: UUID) -> Actor:
    """A person."""
    return Actor("person", user_id)


def agent(session_id: UUID) -> Actor:
    """An agent, by its session."""
    return Actor("agent", session_id)
