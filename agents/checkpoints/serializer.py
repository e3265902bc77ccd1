"""The serializer for values that are not JSON: LangGraph's, made strict and exact."""

import copy
import dataclasses
from collections import deque
from collections.abc import Callable, Collection, Iterable
from enum import Enum
from typing import Any

import ormsgpack
from langgraph.checkpoint.serde.jsonplus import (
    EXT_CONSTRUCTOR_SINGLE_ARG,
    EXT_PYDANTIC_V2,
    JsonPlusSerializer,
)
from langgraph.checkpoint.serde.types import SendProtocol
from pydantic import BaseModel


def text_of(data: bytes) -> str:
    """Text from UTF-8 that may hold lone surrogates."""
    return data.decode("utf-8", "surrogatepass")


def integer_of(data: bytes) -> int:
    """An integer from its two's complement, most significant byte first."""
    return int.from_bytes(data, "big", signed=True)


def mapping_of(items: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """A dict from its items."""
    return dict(items)


class StrictSerializer(JsonPlusSerializer):
    """LangGraph's msgpack serializer for safe and explicitly allowed types only, without pickle.

    A type that is not allowed loads as the plain data it was made of. msgpack refuses integers over 64 bits,
    and LangGraph's encoder turns lone surrogates into question marks; here both survive, tagged, wherever
    they stand in builtin containers, messages, pydantic models, dataclasses and `Send`.
    """

    def __init__(self, allowed: Collection[type | tuple[str, ...]] = ()) -> None:
        """`allowed`: types, or (module, name) pairs, that may be loaded beside LangGraph's safe ones."""
        own = [(reader.__module__, reader.__name__) for reader in (text_of, integer_of, mapping_of)]
        super().__init__(allowed_msgpack_modules=[*allowed, *own])

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """The kind and the bytes of any value. Raises TypeError for one that msgpack cannot hold."""
        try:
            kind, data = super().dumps_typed(obj)
        except ormsgpack.MsgpackEncodeError as refusal:
            return super().dumps_typed(self._tagged_or(refusal, obj))
        if kind == "msgpack" and b"?" in data:  # perhaps a replaced surrogate
            tagged = self._tagged(obj)
            if tagged is not obj:
                return super().dumps_typed(tagged)
        return kind, data

    def _tagged_or(self, refusal: ormsgpack.MsgpackEncodeError, obj: Any) -> Any:
        try:
            tagged = self._tagged(obj)
        except RecursionError:
            raise refusal from None
        if tagged is obj:
            raise refusal
        return tagged

    def _tagged(self, obj: Any) -> Any:
        """The object itself where msgpack is exact, else one that encodes to the same object."""
        if isinstance(obj, str | int | Enum):
            return self._tagged_scalar(obj)
        for kind, rebuild in self._rebuilders:
            if isinstance(obj, kind):
                return rebuild(self, obj)
        if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
            return self._tagged_attributes(obj, [field.name for field in dataclasses.fields(obj)])
        return obj

    def _tagged_scalar(self, obj: str | int | Enum) -> Any:
        if isinstance(obj, Enum):
            return obj
        if isinstance(obj, int):
            if -(2**63) <= obj < 2**64:
                return obj
            return self._call(integer_of, obj.to_bytes(obj.bit_length() // 8 + 1, "big", signed=True))
        try:
            obj.encode()
        except UnicodeEncodeError:
            return self._call(text_of, obj.encode("utf-8", "surrogatepass"))
        return obj

    def _tagged_mapping(self, obj: dict[Any, Any]) -> Any:
        keys, values = self._tagged_all(obj), self._tagged_all(obj.values())
        if keys is None:
            return obj if values is None else dict(zip(obj, values, strict=True))
        return self._call(mapping_of, list(zip(keys, obj.values() if values is None else values, strict=True)))

    def _tagged_sequence(self, obj: Collection[Any]) -> Any:
        items = self._tagged_all(obj)
        if items is None:
            return obj
        return obj._make(items) if hasattr(obj, "_make") else items  # a named tuple keeps its name

    def _tagged_group(self, obj: Collection[Any]) -> Any:
        items = self._tagged_all(obj)
        return obj if items is None else self._call(type(obj), items)

    def _tagged_model(self, obj: BaseModel) -> Any:
        if self._tagged_all([obj.__dict__, obj.__pydantic_extra__]) is None:
            return obj
        cls = type(obj)
        fields = self._tagged(obj.model_dump())
        return self._ext(EXT_PYDANTIC_V2, (cls.__module__, cls.__name__, fields, "model_validate_json"))

    def _tagged_send(self, obj: SendProtocol) -> Any:
        return self._tagged_attributes(obj, ["node", "arg"])

    def _tagged_attributes(self, obj: Any, names: list[str]) -> Any:
        values = self._tagged_all([getattr(obj, name) for name in names])
        if values is None:
            return obj
        twin = copy.copy(obj)
        for name, value in zip(names, values, strict=True):
            object.__setattr__(twin, name, value)  # a frozen dataclass too
        return twin

    def _tagged_all(self, items: Iterable[Any]) -> list[Any] | None:
        """Each item tagged, or None if none needs it."""
        tagged, changed = [], False
        for item in items:
            tagged.append(self._tagged(item))
            changed = changed or tagged[-1] is not item
        return tagged if changed else None

    def _call(self, function: Callable[..., Any], argument: Any) -> ormsgpack.Ext:
        """What loads as `function(argument)`."""
        return self._ext(EXT_CONSTRUCTOR_SINGLE_ARG, (function.__module__, function.__name__, argument))

    def _ext(self, code: int, content: tuple[Any, ...]) -> ormsgpack.Ext:
        return ormsgpack.Ext(code, super().dumps_typed(content)[1])

    _rebuilders: list[tuple[Any, Callable[..., Any]]] = [
        (dict, _tagged_mapping),
        ((list, tuple), _tagged_sequence),
        ((set, frozenset, deque), _tagged_group),
        (BaseModel, _tagged_model),
        (SendProtocol, _tagged_send),
    ]
