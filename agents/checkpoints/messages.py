"""LangChain's messages as JSON that can be read in SQL: their fields, without those that are as by default."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from langchain_core import messages
from langchain_core.messages import BaseMessage


@dataclass(frozen=True, slots=True)
class Shape:
    """How the messages of a class are made: the defaults of its fields, and what makes those that are containers."""

    cls: type[BaseMessage]
    defaults: dict[str, Any]
    makers: tuple[tuple[str, Callable[[], Any]], ...]
    names: frozenset[str]

    @classmethod
    def of(cls, message: type[BaseMessage]) -> Shape:
        """The shape of a class of messages."""
        defaults = {
            name: None if field.is_required() else field.get_default(call_default_factory=True)
            for name, field in message.model_fields.items()
        }
        makers = [(name, type(value)) for name, value in defaults.items() if _is_container(value)]
        return cls(message, defaults, tuple(makers), frozenset(defaults))

    def fields(self, message: BaseMessage) -> dict[str, Any] | None:
        """What is stored of a message; None where that would not give it back. What is required is never None."""
        fields, defaults = message.__dict__, self.defaults
        extra = message.__pydantic_extra__ or {}
        if fields.keys() != self.names or fields["type"] != defaults["type"] or extra.keys() & self.names:
            return None
        changed = {
            name: value
            for name, value in fields.items()
            if type(value) is not type(defaults[name]) or value != defaults[name]
        }
        return {"type": fields["type"], **changed, **extra}


class Draft:
    """A message that was read, of which any number can be made that share nothing that can be changed."""

    __slots__ = ("_cls", "_extra", "_fields", "_given", "_makers")

    def __init__(self, data: bytes) -> None:
        """From the JSON of a message. Nothing is validated: a hash says that it is the one."""
        stored = orjson.loads(data)
        shape = _BY_TYPE[stored["type"]]
        self._cls = shape.cls
        self._given = frozenset(stored)
        self._fields = {**shape.defaults, **stored}
        self._extra: Callable[[], dict[str, Any]] = dict
        if not self._given <= shape.names:
            self._extra = _maker({name: self._fields.pop(name) for name in self._given - shape.names})
        self._makers = shape.makers
        own = {name: _maker(value) for name, value in stored.items() if _is_container(value) and name in shape.names}
        if own:
            self._makers = tuple({**dict(shape.makers), **own}.items())

    def message(self) -> BaseMessage:
        """Another one, the caller's own."""
        fields = self._fields.copy()
        for name, make in self._makers:
            fields[name] = make()
        message = object.__new__(self._cls)
        _set(message, "__dict__", fields)
        _set(message, "__pydantic_fields_set__", set(self._given))
        _set(message, "__pydantic_extra__", self._extra())
        _set(message, "__pydantic_private__", None)
        return message


def _is_container(value: object) -> bool:
    return type(value) is dict or type(value) is list


def _maker(value: object) -> Callable[[], Any]:
    """Makes a JSON value again and again."""
    return partial(orjson.loads, orjson.dumps(value))


_set = object.__setattr__  # pydantic's own would validate
_CLASSES: tuple[type[BaseMessage], ...] = (
    messages.HumanMessage,
    messages.AIMessage,
    messages.SystemMessage,
    messages.ToolMessage,
    messages.FunctionMessage,
    messages.ChatMessage,
    messages.RemoveMessage,
    messages.HumanMessageChunk,
    messages.AIMessageChunk,
    messages.SystemMessageChunk,
    messages.ToolMessageChunk,
)
_SHAPES: dict[type, Shape] = {cls: Shape.of(cls) for cls in _CLASSES}
_BY_TYPE = {shape.defaults["type"]: shape for shape in _SHAPES.values()}


def shape_of(value: object) -> Shape | None:
    """The shape of a message, or None of anything else."""
    return _SHAPES.get(type(value))
