"""How ids are made: version 7 where we choose them, version 5 where they follow from something."""

import uuid

from uuid_utils.compat import uuid7


def new_id() -> uuid.UUID:
    """A fresh id, version 7. Nothing is ordered by it."""
    return uuid7()


def derived_id(parent: uuid.UUID, *parts: object) -> uuid.UUID:
    """The id that follows from `parent` and `parts`: the same on every replay, so nothing is made twice."""
    return uuid.uuid5(parent, ":".join(str(part) for part in parts))
