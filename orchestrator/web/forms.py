"""Reading what forms send."""

from uuid import UUID

from agents.errors import NotFound


def parse_id(text: str) -> UUID:
    """An id from a form or a query. Raises NotFound for anything else."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None
