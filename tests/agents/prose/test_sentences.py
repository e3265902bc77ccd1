"""Where sentences end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.prose.sentences import MAX_CHARACTERS, sentences

PROSE = st.text(st.sampled_from(list("ab Zé1.!?…\"')(\n\t。-*`")) | st.characters(), max_size=400)


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Bees dance. They count.",
        "Do they dance? They do.",
        'She said "Stop!" He went on.',
        "It works (mostly.) Nobody minds.",
        "It ends... Then it begins.",
        "The answer is no. Then we left.",
        "They met at 5 p.m. The hive was quiet.",
        "It was sold in the U.S. It never came back.",
        "Acme Inc. The name stayed.",
        "Wax, honey, etc. All of it was sold.",
        "It weighs 3.5 kg. 7 of them fit.",
        "Use `make up.` It starts all.",
        "It is decided once. `decide` writes it.",
        "A wrapped\nline ends. Another\nbegins.",
        "这是一句。那是二句。",
    ],
)
def test_two_sentences_are_two(text):
    assert len(split(text)) == 2


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Karl von Frisch watched them, e.g. near Graz.",
        "Seeley et al. Swarms (2010) is the standard.",
        "See Fig. 3, p. 12 and No. 5 of vol. 2 for it.",
        "J. R. R. Tolkien kept no bees.",
        "Version 3.11.7 needs 2.5 GB vs. 4 GB before.",
        "The U.S. Army counted them.",
        "Call it at example.org or in setup.py and go.",
        "Call a verb, e.g. `decide`, once.",
        "Wait... what is that?",
        "1. Install it",
        "(a) Install it",
        "It costs approx. 5 dollars.",
    ],
)
def test_marks_inside_a_sentence_do_not_end_it(text):
    assert split(text) == [text]


def test_only_the_given_stretch_is_split():
    text = "One. Two. Three."
    assert [text[a:b] for a, b in sentences(text, 5, 9)] == ["Two."]


@given(PROSE)
def test_every_character_but_space_is_in_exactly_one_sentence(text):
    last = 0
    for start, end in sentences(text):
        assert not text[last:start].strip()
        assert start < end
        assert text[start:end] == text[start:end].strip()
        last = end
    assert not text[last:].strip()


@given(st.lists(st.integers(1, 2 * MAX_CHARACTERS), min_size=1, max_size=8))
def test_text_without_marks_is_cut_into_bounded_pieces(lengths):
    text = " ".join("a" * length for length in lengths)
    pieces = split(text)
    assert all(0 < len(piece) <= MAX_CHARACTERS for piece in pieces)
    assert "".join(pieces).replace(" ", "") == text.replace(" ", "")


def test_a_long_stretch_is_not_cut_inside_a_word():
    text = "honeycomb " * 500
    assert {word for piece in split(text) for word in piece.split()} == {"honeycomb"}


@pytest.mark.parametrize("piece", [".", ". ", "! ", "A. ", '."', "e.g. ", "\n", "(", ".\u2019", "*. "])
def test_time_grows_with_length_and_not_with_its_square(piece):
    """A hundred thousand hostile characters: with a quadratic step this would run for minutes."""
    text = piece * (100_000 // len(piece))
    assert sum(end - start for start, end in sentences(text)) <= len(text)
