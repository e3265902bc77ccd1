"""Namespaces and keys: which ones there are, and the id of the item that they name."""

import json
from collections.abc import Sequence
from uuid import UUID

from langgraph.store.base import InvalidNamespaceError

from agents.ids import derived_id
from agents.storable import is_storable_text

RESERVED = "langgraph"  # root label that LangGraph keeps for itself
MOST_BYTES = 2000  # of a namespace: an index row holds it
LABEL_BYTES = 8  # what each label adds to its text there


def check_namespace(namespace: Sequence[str], *, writing: bool = False) -> None:
    """Any labels will do that PostgreSQL can hold, dots and slashes among them. Raises InvalidNamespaceError.

    To write needs at least one label, and another root than the reserved one.
    """
    if isinstance(namespace, str):
        raise InvalidNamespaceError(f"A namespace is a tuple of labels, not the text {namespace!r}.")
    for label in namespace:
        if not isinstance(label, str) or not label or not is_storable_text(label):
            raise InvalidNamespaceError(f"{label!r} in {namespace!r} is no label: {_FAULT}.")
    if sum(len(label.encode()) + LABEL_BYTES for label in namespace) > MOST_BYTES:
        raise InvalidNamespaceError(f"A namespace may have {MOST_BYTES} bytes, {LABEL_BYTES} a label included.")
    if writing and not namespace:
        raise InvalidNamespaceError("Nothing can be put into the empty namespace.")
    if writing and namespace[0] == RESERVED:
        raise InvalidNamespaceError(f"The root label {RESERVED!r} is reserved.")


_FAULT = "labels are texts that are not empty and hold no NUL and no half of a character (lone surrogate)"


def check_key(key: str) -> None:
    """Raises ValueError for a key that PostgreSQL cannot hold."""
    if not isinstance(key, str) or not is_storable_text(key):
        raise ValueError(f"{key!r} is no key: keys are texts without NUL and lone surrogates.")


def plain(text: str) -> str:
    """The text as PostgreSQL's driver should see it, also where it is a member of an enumeration.

    Raises ValueError for what PostgreSQL cannot hold.
    """
    if not is_storable_text(text):
        raise ValueError(f"{text!r} holds NUL or a lone surrogate")
    return str.__str__(text)


def item_id(project_id: UUID, namespace: Sequence[str], key: str) -> UUID:
    """The id of the item that a key names in a namespace of a project."""
    return derived_id(project_id, json.dumps([*namespace, key]))


def end_of(prefix: Sequence[str]) -> list[str]:
    """The least namespace, by code points, that comes after all that begin with `prefix`."""
    *parents, last = prefix
    return [*parents, last + "\x01"]
