"""LangGraph's filters as SQL conditions on an item's value.

A filter names keys of the value. What it asks of a key is a plain value (equal), a list (equal, place by place), a
dict of keys (of a nested object, asked likewise), or a dict of operators: `$eq $ne $gt $gte $lt $lte`. As in
LangGraph's in-memory store a missing key equals None. Numbers are compared as numbers, texts by code points, and one
is never greater or less than the other.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from memory.store import values
from memory.store.names import plain

ORDER = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in SQL and its parameters in order."""

    sql: str
    parameters: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Something within a value: its SQL, and the keys that lead there unless a list lies on the way."""

    sql: str = "m.value"
    parameters: tuple[Any, ...] = ()
    keys: tuple[str, ...] | None = ()

    def key(self, key: str) -> "Place":
        """What an object here has under a key."""
        keys = None if self.keys is None else (*self.keys, key)
        return Place(f"({self.sql} -> %s::text)", (*self.parameters, plain(key)), keys)

    def item(self, position: int) -> "Place":
        """What a list here has at a position."""
        return Place(f"({self.sql} -> %s::int)", (*self.parameters, position), None)


def conditions(chosen: Mapping[str, Any]) -> list[Condition]:
    """What holds for an item that passes the filter. Raises ValueError for a filter that makes no sense."""
    return [found for key, wanted in chosen.items() for found in _compared(Place().key(key), wanted)]


def _compared(place: Place, wanted: object) -> list[Condition]:
    if isinstance(wanted, Mapping):
        if any(key.startswith("$") for key in wanted):
            return [found for operator, operand in wanted.items() for found in _operated(place, operator, operand)]
        inner = [found for key, item in wanted.items() for found in _compared(place.key(key), item)]
        return [_has_type(place, "object"), *inner]
    if isinstance(wanted, list | tuple):
        inner = [found for position, item in enumerate(wanted) for found in _compared(place.item(position), item)]
        return [_has_length(place, len(wanted)), *inner]
    return _equal(place, wanted)


def _operated(place: Place, operator: str, operand: object) -> list[Condition]:
    if operator == "$eq":
        return _equal(place, operand)
    if operator == "$ne":
        return [_against(place, "<>", operand)]
    if operator not in ORDER:
        raise ValueError(f"Unsupported operator: {operator}")
    return [_ordered(place, ORDER[operator], operand)]


def _equal(place: Place, wanted: object) -> list[Condition]:
    equal = _against(place, "=", wanted)
    if wanted is None or not place.keys:
        return [equal]
    held = wanted
    for key in reversed(place.keys):
        held = {key: held}
    contained = Condition("m.value @> %s::jsonb", (_json(held),))  # what the index can look up
    return [contained] if isinstance(wanted, str | int | float) else [contained, equal]


def _against(place: Place, operator: str, wanted: object) -> Condition:
    found = f"coalesce({place.sql}, 'null'::jsonb) {operator} %s::jsonb"
    return Condition(found, (*place.parameters, _json(wanted)))


def _ordered(place: Place, operator: str, operand: object) -> Condition:
    if isinstance(operand, str):
        kind, compared, given = "string", f"({place.sql} #>> '{{}}') COLLATE \"C\" {operator} %s::text", plain(operand)
    elif isinstance(operand, int | float) and not isinstance(operand, bool) and operand == operand:  # not NaN
        kind, compared, given = "number", f"({place.sql})::numeric {operator} %s::numeric", json.dumps(operand)
    else:
        raise ValueError(f"{operator} compares with a number or a text, not with {operand!r}")
    sql = f"CASE jsonb_typeof({place.sql}) WHEN '{kind}' THEN {compared} ELSE false END"
    return Condition(sql, (*place.parameters, *place.parameters, given))


def _has_type(place: Place, kind: str) -> Condition:
    return Condition(f"coalesce(jsonb_typeof({place.sql}) = '{kind}', false)", place.parameters)


def _has_length(place: Place, length: int) -> Condition:
    sql = f"CASE jsonb_typeof({place.sql}) WHEN 'array' THEN jsonb_array_length({place.sql}) = %s ELSE false END"
    return Condition(sql, (*place.parameters, *place.parameters, length))


def _json(wanted: object) -> str:
    """JSON of what a value is compared with. Raises TypeError or ValueError for what no filter can look for."""
    text, exact = values.encode(wanted)
    if exact is not None and values.decode(exact) != values.decode(text):
        raise ValueError(f"a filter cannot look for {wanted!r}: it holds NUL or a lone surrogate")
    return text
