"""From what is stored of an event to its type of today: old versions are raised step by step."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agents.errors import UnknownEvent
from agents.events.types import KINDS, Event

Data = Mapping[str, Any]
Upcaster = Callable[[Data], Data]
_UPCASTERS: dict[tuple[str, int], Upcaster] = {}
_adapters: dict[type[Event], TypeAdapter[Event]] = {}


def upcaster(event_type: str, schema: int) -> Callable[[Upcaster], Upcaster]:
    """Register a pure function from the data of that version of a kind to the data of the next one."""

    def register(step: Upcaster) -> Upcaster:
        _UPCASTERS[event_type, schema] = step
        return step

    return register


def typed(event_type: str, schema: int, data: Data) -> Event:
    """The event that was stored as `data` in version `schema` of its kind.

    Raises UnknownEvent for a kind or version that is not known, and for data that does not fit it.
    """
    kind = KINDS.get(event_type)
    if kind is None:
        raise UnknownEvent(f"Nothing here knows events of the type {event_type}.")
    if not 1 <= schema <= kind.schema:
        raise UnknownEvent(f"{event_type} has versions 1 to {kind.schema} here, not {schema}.")
    for version in range(schema, kind.schema):
        step = _UPCASTERS.get((event_type, version))
        if step is None:
            raise UnknownEvent(f"Nothing raises version {version} of {event_type}.")
        data = step(data)
    if foreign := sorted(data.keys() - {field.name for field in fields(kind)}):
        raise UnknownEvent(f"{event_type} has no {', '.join(foreign)}.")
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    try:
        return _adapters[kind].validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UnknownEvent(f"{event_type} does not fit at {place}: {first['msg']}.") from None
