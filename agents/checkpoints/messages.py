"""LangChain's messages as JSON that can be read in SQL: their fields, without those that are as by default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from langchain_core import messages
from langchain_core.messages import BaseMessage


@dataclass(frozen=True, slots=True)
class Shape:
    """How the messages of a class are made: the defaults of its fields, empty containers apart."""

    cls: type[BaseMessage]
    defaults: dict[str, Any]
    containers: dict[str, type]
    names: frozenset[str]

    @classmethod
    def of(cls, message: type[BaseMessage]) -> Shape:
        """The shape of a class of messages."""
        defaults = {
            name: None if field.is_required() else field.get_default(call_default_factory=True)
            for name, field in message.model_fields.items()
        }
        containers = {name: type(value) for name, value in defaults.items() if type(value) in (dict, list)}
        return cls(message, defaults, containers, frozenset(defaults))

    def is_default(self, name: str, value: object) -> bool:
        """Whether a field need not be stored. A value that is required is never None."""
        default = self.defaults[name]
        return type(value) is type(default) and value == default

    def fields(self, message: BaseMessage) -> dict[str, Any] | None:
        """What is stored of a message; None where that would not give it back."""
        fields = message.__dict__
        extra = message.__pydantic_extra__ or {}
        if fields.keys() != self.names or fields["type"] != self.defaults["type"] or extra.keys() & self.names:
            return None
        changed = {name: value for name, value in fields.items() if not self.is_default(name, value)}
        return {"type": fields["type"], **changed, **extra}

    def build(self, stored: dict[str, Any]) -> BaseMessage:
        """The message that was stored. Nothing is validated: a hash says that it is the one."""
        fields = {**self.defaults, **stored}
        for name, container in self.containers.items():
            if name not in stored:
                fields[name] = container()
        extra = {name: fields.pop(name) for name in stored.keys() - self.names}
        message = object.__new__(self.cls)
        object.__setattr__(message, "__dict__", fields)
        object.__setattr__(message, "__pydantic_fields_set__", set(stored))
        object.__setattr__(message, "__pydantic_extra__", extra)
        object.__setattr__(message, "__pydantic_private__", None)
        return message


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


def read(data: bytes) -> BaseMessage:
    """The message from its JSON."""
    stored = orjson.loads(data)
    return _BY_TYPE[stored["type"]].build(stored)
