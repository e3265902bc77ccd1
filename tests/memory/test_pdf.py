"""PDF files: text in paragraphs with pages, or a clear refusal."""

import pytest

from memory import documents
from memory.documents import Limits
from memory.documents.flow import flow
from memory.errors import PdfBroken, PdfEncrypted, PdfTooCostly, PdfWithoutText, SourceTooLong
from tests.memory.pdf_files import assemble, locked, pdf

LIMITS = Limits(max_bytes=50_000_000, pdf_seconds=30)
DANCE = ["The waggle dance tells the other bees where flowers are.", "Its angle is the direction."]


def read(data: bytes, limits: Limits = LIMITS) -> documents.Document:
    return documents.read("bees.pdf", data, limits=limits)


def test_pages_are_text_and_know_where_they_begin():
    document = read(pdf(DANCE, ["The queen lays eggs."]))
    assert document.media_type == "application/pdf"
    assert "where flowers are.\nIts angle" in document.text
    queen = document.text.index("The queen")
    assert document.page_starts == (0, queen)
    assert [document.page_at(offset) for offset in (0, queen - 1, queen, len(document.text))] == [1, 1, 2, 2]


def test_a_document_without_pages_has_none():
    assert documents.read("a.md", b"text", limits=LIMITS).page_at(0) is None


def test_a_pdf_with_another_name_is_read_as_pdf():
    assert documents.read("report.txt", pdf(DANCE), limits=LIMITS).media_type == "application/pdf"


def test_pictures_only_are_refused_with_what_to_do():
    with pytest.raises(PdfWithoutText, match=r"bees\.pdf: The PDF has no text.*OCR"):
        read(pdf([], []))


def test_a_password_is_refused_with_what_to_do():
    with pytest.raises(PdfEncrypted, match="locked with a password"):
        read(locked(pdf(DANCE), "secret"))


def test_a_pdf_that_anyone_may_open_is_read_although_it_is_encrypted():
    assert "waggle dance" in read(locked(pdf(DANCE), "")).text


@pytest.mark.parametrize(
    "data",
    [b"no pdf at all", b"%PDF-1.7\n", b"%PDF-1.4\n" + b"\xff" * 1000, pdf(DANCE)[:150]],
    ids=["text", "only a head", "rubbish", "cut off"],
)
def test_a_broken_pdf_is_refused(data):
    with pytest.raises(PdfBroken):
        read(data)


def test_one_bad_page_does_not_lose_the_others():
    data = pdf(DANCE, ["Another page."])
    broken = data.replace(b"/Contents 7 0 R", b"/Contents 3.5 R")
    assert broken != data
    document = read(broken)
    assert "waggle dance" in document.text
    assert "Another" not in document.text


def test_too_many_pages_and_too_many_characters_are_refused():
    with pytest.raises(SourceTooLong, match="more than 2 pages"):
        read(pdf(["a"], ["b"], ["c"]), Limits(max_bytes=50_000, max_pages=2))
    with pytest.raises(SourceTooLong, match="more than 100 characters") as caught:
        read(pdf(DANCE, DANCE), Limits(max_bytes=50_000, max_characters=100))
    assert caught.value.data["unit"] == "characters"


def test_a_page_that_would_take_for_ever_is_given_up():
    endless = assemble([b"BT /F1 9 Tf " + b"1 0 0 1 0 1 Tm (bee) Tj " * 1_500_000 + b"ET"])
    assert len(endless) < 200_000
    with pytest.raises(PdfTooCostly):
        read(endless, Limits(max_bytes=50_000_000, pdf_seconds=1))


def test_a_page_that_would_take_all_memory_is_given_up():
    greedy = assemble([b"BT /F1 9 Tf " + b"(bee) Tj T* " * 3_000_000 + b"ET"])
    with pytest.raises(PdfTooCostly):
        read(greedy, Limits(max_bytes=50_000_000, pdf_memory=200 * 1024 * 1024, pdf_seconds=300))


def test_pages_that_contain_themselves_are_refused():
    looped = pdf(DANCE).replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]")
    with pytest.raises((PdfTooCostly, PdfBroken, PdfWithoutText)):
        read(looped)


def test_nothing_of_the_text_of_a_pdf_breaks_the_database():
    text = read(pdf(["Bees\x01 and flowers\x02 are here."])).text
    assert not set(text) & {"\0", "\x01", "\x02"}


def test_words_divided_at_a_line_end_are_whole():
    text, _ = flow(["The infor-\nmation of the long-\nterm study. A term is long. The term was long."])
    assert text.startswith("The information of the long-term study.")


def test_running_heads_and_page_numbers_go():
    firsts = [f"The {word} page has its own words." for word in ("first", "second", "third", "fourth")]
    pages = [f"Bees of Graz\n{first}\nAnd more of them.\n{n}" for n, first in enumerate(firsts, start=1)]
    text, starts = flow(pages)
    assert "Bees of Graz" not in text
    assert [text[start:].split("\n")[0] for start in starts] == firsts


def test_a_paragraph_goes_on_over_the_page():
    text, starts = flow(["They dance on the", "comb in the dark.\nIt is warm there."])
    assert text == "They dance on the\ncomb in the dark.\nIt is warm there."
    assert starts == (0, 18)


def test_headings_and_items_stand_apart_from_paragraphs():
    page = (
        "Results\nThe dance was seen on all of the days of the study and was\n"
        "longer in the afternoon. It rained.\nThe queen stayed in the hive for the whole of the days and laid\n"
        "- eggs\n- more eggs"
    )
    assert flow([page])[0].split("\n\n") == [
        "Results",
        "The dance was seen on all of the days of the study and was\nlonger in the afternoon. It rained.",
        "The queen stayed in the hive for the whole of the days and laid",
        "- eggs",
        "- more eggs",
    ]


def test_empty_pages_begin_where_the_next_text_does():
    text, starts = flow(["First page.", "", "Third page."])
    assert text == "First page.\n\nThird page."
    assert starts[0] == 0
    assert starts[2] == text.index("Third")
