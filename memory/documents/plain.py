"""Bytes to text: which encoding, and whether it is text at all."""

import codecs
import re

from agents.storable import storable_text
from memory.errors import SourceBinary

# longer marks first: UTF-32's begins with UTF-16's
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NEWLINE = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufeff]")

_MOST_CONTROLS = 0.005  # a log with a few stray ones is still text
_MOST_ACCENTS = 0.3  # Western text has fewer; other scripts read as Latin-1 have more


def decode(name: str, data: bytes) -> str:
    """The text of a file, tidied: UTF-8, UTF-16 and UTF-32 with their marks, else Latin-1 where it fits.

    Raises SourceBinary.
    """
    mark, encoding = next(((mark, e) for mark, e in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError:
        text = "" if mark else _western(data)
    text = _COLOUR.sub("", text)
    if not text or "\0" in text or len(_CONTROL.findall(text)) > _MOST_CONTROLS * len(text):
        message = f"{name} is not text, or in an encoding that cannot be told. Save it as UTF-8."
        raise SourceBinary(message, name=name)
    return tidy(text)


def tidy(text: str) -> str:
    """`text` with line feeds as line ends, without what a database or a screen cannot take."""
    return storable_text(_CONTROL.sub("", _NEWLINE.sub("\n", text)))


def _western(data: bytes) -> str:
    """The text in Windows' Latin-1, empty where it would be no Western text."""
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return ""
    accents = sum(character > "\x7f" for character in text)
    return "" if _CONTROL.search(text) or accents > _MOST_ACCENTS * len(text) else text
