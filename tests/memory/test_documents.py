"""Files become text, or say why not."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory import documents
from memory.documents import Limits, plain
from memory.errors import (
    SourceBinary,
    SourceEmpty,
    SourceRefused,
    SourceTooLarge,
    SourceTooLong,
    SourceTypeUnknown,
)

LIMITS = Limits(max_bytes=1_000_000)


def read(name: str, data: bytes, limits: Limits = LIMITS) -> documents.Document:
    return documents.read(name, data, limits=limits)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.md", "text/markdown"),
        ("A.MARKDOWN", "text/markdown"),
        ("notes.txt", "text/plain"),
        ("guide.rst", "text/plain"),
        ("docs/README", "text/plain"),
    ],
)
def test_the_name_says_how_it_is_read(name, media_type):
    assert read(name, b"Bees dance.").media_type == media_type


@pytest.mark.parametrize(
    "data",
    [
        "Bienenkönigin: “ja”".encode(),
        codecs.BOM_UTF8 + "Bienenkönigin: “ja”".encode(),
        codecs.BOM_UTF16_LE + "Bienenkönigin: “ja”".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "Bienenkönigin: “ja”".encode("utf-16-be"),
        codecs.BOM_UTF32_LE + "Bienenkönigin: “ja”".encode("utf-32-le"),
        "Bienenkönigin: “ja”".encode("cp1252"),
    ],
)
def test_text_is_the_same_in_every_encoding(data):
    assert read("a.txt", data).text == "Bienenkönigin: “ja”"


def test_all_line_ends_become_line_feeds():
    assert read("a.txt", "a\r\nb\rc\x0cd\u2028e\x85f".encode()).text == "a\nb\nc\nd\ne\nf"


def test_colours_and_stray_controls_of_a_log_go():
    log = b"INFO \x1b[31mThe hive is warm.\x1b[0m\n" * 20 + b"\x08done"
    assert read("log.txt", log).text == "INFO The hive is warm.\n" * 20 + "done"


@pytest.mark.parametrize(
    "data",
    [
        bytes(range(256)) * 4,
        b"\x7fELF\x02\x01\x01" + b"\0" * 64,
        b"text\0with a NUL",
        "Пчёлы танцуют перед входом".encode("koi8-r"),
        codecs.BOM_UTF16_LE + b"\x00\xd8\x41\x00",
        codecs.BOM_UTF16_LE + "a\0b".encode("utf-16-le"),
        b"\x81\x8d\x8f\x90\x9d",
    ],
    ids=["all bytes", "program", "NUL", "KOI8", "lone surrogate", "NUL in UTF-16", "undefined in cp1252"],
)
def test_what_is_no_text_is_refused(data):
    with pytest.raises(SourceBinary, match=r"a\.txt is not text") as caught:
        read("a.txt", data)
    assert caught.value.data["name"] == "a.txt"


@pytest.mark.parametrize("data", [b"", b" \n\t ", b"--- *** ---", codecs.BOM_UTF8 + b"\n"])
def test_what_has_no_words_is_refused(data):
    with pytest.raises(SourceEmpty):
        read("a.md", data)


@pytest.mark.parametrize("name", ["photo.jpg", "sheet.xlsx", "code.py", "archive.tar.gz"])
def test_other_types_are_refused_with_what_can_be_read(name):
    with pytest.raises(SourceTypeUnknown, match=r"Readable are Markdown \(\.md"):
        read(name, b"text")


def test_too_large_a_file_is_refused_with_both_sizes():
    with pytest.raises(SourceTooLarge, match=r"big\.txt has 3\.0 MB; at most 1\.0 MB") as caught:
        read("big.txt", b"a" * 3 * 1024 * 1024, Limits(max_bytes=1024 * 1024))
    assert caught.value.data == {"name": "big.txt", "size": 3 * 1024 * 1024, "limit": 1024 * 1024}


def test_too_long_a_text_is_refused():
    with pytest.raises(SourceTooLong, match="more than 100 characters"):
        read("a.txt", b"word " * 21, Limits(max_bytes=1000, max_characters=100))


def test_names_are_one_short_printable_line():
    document = read("a\0b\nc" + "x" * 500 + ".md", b"text")
    assert len(document.name) <= 200
    assert document.name.isprintable()
    assert document.name.endswith(".md")
    assert documents.clean_name("\n") == "unnamed"
    assert documents.clean_name("\ud800a.md") == "a.md"


@given(st.binary(max_size=300), st.sampled_from(["a.md", "a.txt", "README"]))
def test_any_bytes_are_text_that_a_database_takes_or_are_refused(data, name):
    try:
        text = read(name, data).text
    except SourceRefused as refused:
        assert refused.data["name"] == name
    else:
        text.encode("utf-8")
        assert not set(text) & {"\0", "\r", "\x0c"}


@given(st.text(max_size=300))
def test_tidying_twice_changes_nothing(text):
    once = plain.tidy(text)
    assert plain.tidy(once) == once
