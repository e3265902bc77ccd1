"""What is stored comes back, to the bit, and nothing else comes with it."""

import datetime
import logging
import uuid
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, NamedTuple

import numpy
import ormsgpack
import pytest
from django.db import connection
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import EXT_CONSTRUCTOR_SINGLE_ARG
from langgraph.types import Interrupt, Send
from pydantic import BaseModel

from agents.checkpoints import QueenrightSaver
from agents.checkpoints.codec import Encoded, state_hash
from agents.models import ChannelVersion
from tests.agents.checkpoints.checkpoints import config_for, identical, put, read, values_of
from tests.agents.checkpoints.conftest import EnsureThread


class Colour(StrEnum):
    RED = "red"


class Mood(str, Enum):  # noqa: UP042  # the older form of a StrEnum
    GOOD = "good"


class Rank(IntEnum):
    FIRST = 1


@dataclass
class Finding:
    text: str
    weight: object


@dataclass(frozen=True, slots=True)
class Frozen:
    inner: Finding


class Question(BaseModel):
    text: str
    answers: list[str] = []
    sub: "Question | None" = None


class Point(NamedTuple):
    x: object
    y: object


ALLOWED = [Colour, Mood, Rank, Finding, Frozen, Question, Point]


def nested(levels: int) -> list[Any]:
    """Lists in lists."""
    return [nested(levels - 1)] if levels else []


SCALARS = [
    None,
    True,
    False,
    "",
    "plain",
    "nul\0inside",
    "\ud800",
    "a\udfffb",
    "\ud83d\ude00",
    "😀",
    "line\nbreak\u2028",
    "x" * 64,
    "x" * 65,
    "ä" * 50_000,
    "what?",
    0,
    -0.0,
    0.0,
    1.0,
    1,
    1e22,
    1e16,
    1e-7,
    5e-324,
    1.7976931348623157e308,
    0.1 + 0.2,
    float("nan"),
    float("inf"),
    float("-inf"),
    2**63 - 1,
    2**63,
    -(2**63),
    -(2**63) - 1,
    2**64 - 1,
    2**64,
    2**70,
    -(2**700),
    b"",
    b"\0\xff?",
    Colour.RED,
    Mood.GOOD,
    Rank.FIRST,
]
COMPOUND = [
    [],
    {},
    [[], {}, None],
    {"b": 1, "a": 2, "": 3},
    {"nul\0key": 1},
    {"\ud800": "\udfff", "?": "?"},
    {1: "one", "1": "text"},
    {2**70: "big"},
    {(1, 2): "pair"},
    {"a", "b"},
    frozenset({1, "\ud800"}),
    deque([1, 2**80]),
    nested(250),
    datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC),
    datetime.date(2026, 1, 2),
    datetime.timedelta(days=-1, microseconds=1),
    Decimal("1.10"),
    uuid.UUID(int=7),
    Finding("a?", 2**65),
    Finding("\udc00", [Finding("b", "\udc00")]),
    Frozen(Finding("\ud800", None)),
    Question(text="why?", answers=["\ud800?"], sub=Question(text="\udfff")),
    Question(text="why?"),
    HumanMessage("hello?", id="1"),
    AIMessage("\ud800 broken?", id="2", tool_calls=[{"name": "f", "args": {"q": "\udfff"}, "id": "c"}]),
    ToolMessage("ok", tool_call_id="c", artifact={"big": 2**99}),
    Interrupt(value={"ask": "\ud800?"}, id="i"),
    Send("node", {"text": "\ud800?"}),
]


@pytest.fixture
def saver(ensure_thread: EnsureThread) -> QueenrightSaver:
    return QueenrightSaver(allowed=ALLOWED, ensure_thread=ensure_thread)


@pytest.fixture
def reader(ensure_thread: EnsureThread) -> QueenrightSaver:
    """A saver that remembers nothing."""
    return QueenrightSaver(allowed=ALLOWED, ensure_thread=ensure_thread)


def test_every_value_comes_back_exactly_from_channels(saver: QueenrightSaver, reader: QueenrightSaver):
    values = SCALARS + COMPOUND
    channels = {f"c{n}": value for n, value in enumerate(values)}
    channels |= {f"list{n}": [value, "?"] for n, value in enumerate(values)}
    channels |= {f"dict{n}": {"k": value, "?": 0} for n, value in enumerate(values)}
    stored = put(saver, config_for(), channels)
    for found in (values_of(saver, stored), values_of(reader, stored)):
        changed = [value for name, value in channels.items() if not identical(found[name], value)]
        assert changed == []
        assert found.keys() == channels.keys()


def test_every_value_comes_back_exactly_from_writes(saver: QueenrightSaver, reader: QueenrightSaver):
    values = [*SCALARS, *COMPOUND]
    stored = put(saver, config_for(), {})
    saver.put_writes(stored, [(f"c{n}", value) for n, value in enumerate(values)], "task")
    writes = read(reader, stored).pending_writes
    assert writes is not None
    assert [value for value, write in zip(values, writes, strict=True) if not identical(write[2], value)] == []


ARRAYS = [
    numpy.arange(12, dtype=numpy.int16).reshape(3, 4),
    numpy.array([numpy.nan, -0.0, numpy.inf]),
    numpy.zeros((0, 3), dtype=numpy.float32),
    numpy.asfortranarray(numpy.arange(300).reshape(30, 10)),
]


def test_numpy_arrays_come_back_as_they_were(saver: QueenrightSaver, reader: QueenrightSaver):
    stored = put(saver, config_for(), {"c": ARRAYS, "d": {"k" * 300: ARRAYS[0], "l": 1}, "e": ARRAYS[3]})
    found = values_of(reader, stored)
    for array, other in zip(
        [*ARRAYS, ARRAYS[0], ARRAYS[3]], [*found["c"], found["d"]["k" * 300], found["e"]], strict=True
    ):
        assert (array.dtype, array.shape, array.tobytes()) == (other.dtype, other.shape, other.tobytes())


@pytest.mark.parametrize("text", ["x" * 5_000_000, "\ud800" + "ä\0" * 2_500_000], ids=["plain", "broken"])
def test_a_text_of_five_million_characters_comes_back(saver: QueenrightSaver, reader: QueenrightSaver, text: str):
    stored = put(saver, config_for(), {"c": text, "list": [text, "x" * 300], "dict": {"a": text}})
    saver.put_writes(stored, [("c", text)], "task")
    found = read(reader, stored)
    assert found.checkpoint["channel_values"] == {"c": text, "list": [text, "x" * 300], "dict": {"a": text}}
    assert found.pending_writes == [("task", "c", text)]


def test_a_top_level_bytearray_stays_one(saver: QueenrightSaver):
    stored = put(saver, config_for(), {"c": bytearray(b"x" * 500)})
    assert identical(values_of(saver, stored)["c"], bytearray(b"x" * 500))


def test_a_named_tuple_keeps_its_type_with_a_surrogate_in_it(saver: QueenrightSaver, reader: QueenrightSaver):
    stored = put(saver, config_for(), {"c": Point("\ud800", 1), "d": Point(1, 2)})
    found = values_of(reader, stored)
    assert identical(found["c"], Point("\ud800", 1))
    assert identical(found["d"], Point(1, 2))


@pytest.mark.parametrize("bad", [object(), nested(400), lambda: None], ids=["object", "too deep", "function"])
def test_a_value_that_cannot_be_stored_is_refused_and_nothing_is_written(saver: QueenrightSaver, bad: object):
    config = config_for()
    with pytest.raises(TypeError):
        put(saver, config, {"good": "x" * 300, "bad": bad})
    assert saver.get_tuple(config) is None
    assert ChannelVersion.objects.count() == 0


def test_readers_get_values_of_their_own(saver: QueenrightSaver):
    original = {"items": ["x" * 200], "message": HumanMessage("hello", id="1")}
    stored = put(saver, config_for(), {"c": original})
    first = values_of(saver, stored)["c"]
    first["items"].append("spoiled")
    first["message"].content = "spoiled"
    assert values_of(saver, stored)["c"] == original
    original["items"] = []
    assert values_of(saver, stored)["c"]["items"] == ["x" * 200]


def test_a_type_that_is_not_allowed_loads_as_plain_data(ensure_thread: EnsureThread, caplog: pytest.LogCaptureFixture):
    strict = QueenrightSaver(ensure_thread=ensure_thread)
    stored = put(strict, config_for(), {"c": Finding("a", 1), "d": Question(text="why")})
    with caplog.at_level(logging.CRITICAL):
        found = values_of(strict, stored)
    assert found["c"] == {"text": "a", "weight": 1}
    assert found["d"] == {"text": "why", "answers": [], "sub": None}


def test_an_allowlist_added_by_a_graph_is_honoured(ensure_thread: EnsureThread):
    strict = QueenrightSaver(ensure_thread=ensure_thread)
    stored = put(strict, config_for(), {"c": Finding("\ud800", 1)})
    allowing = strict.with_allowlist({(Finding.__module__, "Finding")})
    assert values_of(allowing, stored)["c"] == Finding("\ud800", 1)


def forge(kind: str, raw: bytes) -> None:
    """Put other bytes in the place of the one value that is stored, under hashes that fit."""
    encoded = Encoded(kind, raw)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE agent_values SET kind = %s, body = NULL, raw = %s, hash = %s", [kind, raw, encoded.hash])
        cursor.execute("UPDATE agent_channel_versions SET items = %s", [encoded.hash])
        cursor.execute("UPDATE agent_states SET state_hash = %s", [state_hash({"c": encoded.hash})])


called: list[str] = []


def call(argument: str) -> str:
    called.append(argument)
    return argument


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("pickle", b"cos\nsystem\n(S'true'\ntR."),
        (
            "msgpack",
            ormsgpack.packb(ormsgpack.Ext(EXT_CONSTRUCTOR_SINGLE_ARG, ormsgpack.packb((__name__, "call", "argument")))),
        ),
    ],
)
def test_forged_bytes_call_nothing(reader: QueenrightSaver, kind: str, raw: bytes):
    stored = put(reader, config_for(), {"c": "x" * 300})
    forge(kind, raw)
    cold = QueenrightSaver()
    if kind == "pickle":
        with pytest.raises(NotImplementedError):
            values_of(cold, stored)
    else:
        assert values_of(cold, stored)["c"] == "argument"
    assert called == []
