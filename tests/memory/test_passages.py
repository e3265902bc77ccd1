"""Documents in passages."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.prose.blocks import Kind, blocks
from memory.documents import Document
from memory.passages import MAX_CHARACTERS, MAX_WORDS, headings, split, words

SENTENCE = "The waggle dance tells the other bees of the hive where good flowers stand and how far they are away. "
PIECES = st.sampled_from(
    [
        SENTENCE,
        SENTENCE * 5,
        "\n\n",
        "\n",
        "# Head\n\n",
        "## Deeper\n\n",
        "- item. Another.\n",
        "```\ncode " * 3,
        "```\n",
        "x" * 500,
        "word " * 300,
        "| a | b |\n|---|---|\n| 1 | 2 |\n",
        "<!-- aside -->\n",
        "Short one. ",
    ]
)
TEXTS = st.lists(PIECES, min_size=1, max_size=40).map("".join) | st.text(min_size=1, max_size=400)


def markdown(text: str) -> Document:
    return Document("a.md", "text/markdown", text)


def test_a_short_section_is_one_passage_with_the_path_of_its_headings():
    text = "# Bees\n\nThey dance.\n\n## The *waggle* dance\n\nIt is an eight.\n\n# Wax\n\nIt is warm."
    found = split(markdown(text))
    assert [(p.heading, p.content) for p in found] == [
        ("Bees", "They dance."),
        ("Bees \u203a The waggle dance", "It is an eight."),
        ("Wax", "It is warm."),
    ]
    assert headings(found) == ["Bees", "Bees \u203a The waggle dance", "Wax"]


@given(TEXTS, st.sampled_from(["text/markdown", "text/plain"]))
def test_passages_hold_the_text_in_order_with_exact_offsets(text, media_type):
    document = Document("a", media_type, text)
    found = split(document)
    last = 0
    kept = []
    for position, passage in enumerate(found):
        assert passage.position == position
        assert last <= passage.start < passage.end <= len(text)
        assert passage.content == text[passage.start : passage.end] == passage.content.strip()
        kept.append(range(passage.start, passage.end))
        last = passage.end
    inside = {offset for span in kept for offset in span}
    read = [b for b in blocks(text, markdown=media_type == "text/markdown") if b.kind not in {Kind.HEADING, Kind.ASIDE}]
    for block in read:
        missed = [i for i in range(block.start, block.end) if i not in inside and not text[i].isspace()]
        assert not missed


@given(TEXTS)
def test_no_passage_has_too_many_characters(text):
    assert all(len(passage.content) <= MAX_CHARACTERS for passage in split(markdown(text)))


@given(st.lists(st.integers(1, 300), min_size=1, max_size=30))
def test_no_passage_of_several_sentences_has_too_many_words(lengths):
    found = split(markdown(" ".join("Bee " * (length - 1) + "End." for length in lengths)))
    assert all(words(passage.content) <= MAX_WORDS or passage.content.count(".") == 1 for passage in found)


def test_a_long_section_is_cut_between_sentences_into_equal_passages():
    found = split(markdown(SENTENCE * 30))
    sizes = [words(passage.content) for passage in found]
    assert len(found) == round(30 * words(SENTENCE) / 130)
    assert all(80 <= size <= MAX_WORDS for size in sizes)
    assert max(sizes) - min(sizes) <= 2 * words(SENTENCE)
    assert all(passage.content.endswith("away.") for passage in found)


def test_passages_end_with_a_paragraph_that_ends_nearby():
    text = (SENTENCE * 6 + "\n\n") * 2
    found = split(markdown(text))
    assert [passage.content.count("The waggle") for passage in found] == [6, 6]


def test_code_and_tables_are_whole():
    code = "```python\n" + "print('bees. And wax. And honey.')\n" * 20 + "```"
    table = "| a | b |\n|---|---|\n" + "| One thing. | Another. |\n" * 15
    found = split(markdown(f"{SENTENCE * 6}\n\n{code}\n\n{SENTENCE * 6}\n\n{table}\n{SENTENCE * 6}"))
    assert any(code in passage.content for passage in found)
    assert any(table.strip() in passage.content for passage in found)


def test_code_beyond_the_bound_is_cut_between_lines():
    lines = [f"value_{number} = compute({number})" for number in range(200)]
    found = split(markdown("```\n" + "\n".join(lines) + "\n```"))
    assert len(found) > 2
    joined = "\n".join(passage.content for passage in found)
    assert [line for line in joined.split("\n") if line.startswith("value")] == lines


def test_a_document_of_headings_alone_has_them_as_passage():
    assert [p.content for p in split(markdown("# One\n\n## Two"))] == ["# One\n\n## Two"]


def test_pages_are_those_on_which_passages_begin():
    first, second = SENTENCE * 6, SENTENCE * 7
    text = f"{first.strip()}\n\n{second.strip()}"
    document = Document("a.pdf", "application/pdf", text, page_starts=(0, len(first.strip()) + 2))
    assert [passage.page for passage in split(document)] == [1, 2]
    assert {passage.page for passage in split(markdown(text))} == {None}


@pytest.mark.parametrize("unit", ["蜂は踊る。", "bee ", "a", "x=1;\n"])
def test_a_megabyte_of_anything_is_cut_into_bounded_passages(unit):
    text = unit * (300_000 // len(unit))
    found = split(markdown(text))
    assert all(0 < passage.end - passage.start <= MAX_CHARACTERS for passage in found)
    assert all(before.end <= after.start for before, after in pairwise(found))
    assert sum(len("".join(p.content.split())) for p in found) == len("".join(text.split()))
