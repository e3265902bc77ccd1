"""Reading what forms send."""

from uuid import UUID

from agents.errors import NotFound

LONGEST_NUMBER = 10  # digits


def parse_id(text: str) -> UUID:
    """An id from a form or a query. Raises NotFound for anything else."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None


def parse_number(text: str, usual: int = 0) -> int:
    """A number from 0 on of up to nine digits; `usual` for anything else, also what is too long for Python to read."""
    return int(text) if text.isdecimal() and len(text) < LONGEST_NUMBER else usual
