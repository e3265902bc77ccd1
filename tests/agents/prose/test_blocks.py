"""What the blocks of a text are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.prose.blocks import Kind, blocks

EVERY_KIND_OF_LINE = """# A
## B b ##
text
More text.

- item
  more
1. one
2) two
```
~~~
    x
---
===
| a | b |
|---|---|
<!-- c
-->
> quote
+--+--+
== ==
.. note:: n
[a]: http://b
![i](j)
HEAD LINE
1. Intro
***
::
a::
#
key: value
<p>"""
LINES = st.sampled_from(EVERY_KIND_OF_LINE.split("\n"))
TEXTS = st.lists(LINES, max_size=30).map("\n".join) | st.text(max_size=300)


def kinds(text: str, *, markdown: bool = True) -> list[tuple[Kind, str]]:
    return [(block.kind, text[block.start : block.end]) for block in blocks(text, markdown=markdown)]


def headings(text: str, *, markdown: bool = True) -> list[tuple[int, str]]:
    found = blocks(text, markdown=markdown)
    return [(block.level, block.title) for block in found if block.kind is Kind.HEADING]


@given(TEXTS, st.booleans())
def test_blocks_stand_in_order_and_leave_only_space_between(text, markdown):
    last = 0
    for block in blocks(text, markdown=markdown):
        assert last <= block.start < block.end
        assert not text[last : block.start].strip()
        assert text[block.start : block.end] == text[block.start : block.end].strip()
        last = block.end
    assert not text[last:].strip()


def test_markdown_headings_have_level_and_words():
    text = "# One\n\n### Two ###\ntext\n\nThree\n=====\n\nFour\n---\n\n#no heading\n####### nor this\n# C#"
    assert headings(text) == [(1, "One"), (3, "Two"), (1, "Three"), (2, "Four"), (1, "C#")]


def test_plain_text_headings_learn_their_levels():
    text = "=====\nTitle\n=====\n\nPart\n====\n\nPiece\n-----\n\nPart two\n========\n\ntext"
    assert headings(text, markdown=False) == [(1, "Title"), (2, "Part"), (3, "Piece"), (2, "Part two")]


def test_numbers_and_capitals_head_plain_text():
    text = "1.  Introduction\n\n  Bees dance.\n\n2.3 Their language\n\nWords.\n\nWARRANTY OF BEES\n\nNone."
    expected = [(1, "1.  Introduction"), (2, "2.3 Their language"), (1, "WARRANTY OF BEES")]
    assert headings(text, markdown=False) == expected


def test_a_numbered_list_of_paragraphs_has_no_headings():
    assert headings("1. Open the hive\n\n2. Take the honey\n\n3. Close it\n", markdown=False) == []


def test_numbered_headings_may_follow_each_other_a_level_down():
    assert headings("1. Bees\n\n1.1 Their dance\n\nIt has words.", markdown=False) == [
        (1, "1. Bees"),
        (2, "1.1 Their dance"),
    ]


def test_hash_signs_in_plain_text_are_no_headings():
    assert headings("# a comment\n\ntext", markdown=False) == []


def test_fences_hold_everything_up_to_their_own_end():
    text = "before\n```python\n# no heading\n~~~\n\n- no item\n```\nafter"
    assert kinds(text) == [
        (Kind.PARAGRAPH, "before"),
        (Kind.CODE, "```python\n# no heading\n~~~\n\n- no item\n```"),
        (Kind.PARAGRAPH, "after"),
    ]


def test_a_fence_that_never_closes_is_code_to_the_end():
    assert kinds("```\na\n\nb\n\n") == [(Kind.CODE, "```\na\n\nb")]


def test_indented_lines_are_code_in_markdown_but_not_below_an_item():
    assert kinds("text\n\n    code\n\n    more\n\ntext")[1] == (Kind.CODE, "code\n\n    more")
    assert [kind for kind, _ in kinds("- item\n\n    its paragraph")] == [Kind.ITEM, Kind.PARAGRAPH]


def test_indented_lines_are_text_in_plain_text_unless_announced():
    assert [kind for kind, _ in kinds("    indented prose", markdown=False)] == [Kind.PARAGRAPH]
    assert [kind for kind, _ in kinds("Like this::\n\n    code()", markdown=False)] == [
        Kind.PARAGRAPH,
        Kind.CODE,
    ]
    directive = ".. code-block:: python\n   :caption: x\n\n    code()\n\nprose"
    assert [kind for kind, _ in kinds(directive, markdown=False)] == [Kind.ASIDE, Kind.CODE, Kind.PARAGRAPH]


def test_tables_are_whole():
    pipes = "| a | b |\n|:--|--:|\n| 1 | 2 |\n| 3 | 4 |"
    assert kinds(f"text\n\n{pipes}\nafter") == [
        (Kind.PARAGRAPH, "text"),
        (Kind.TABLE, pipes),
        (Kind.PARAGRAPH, "after"),
    ]
    grid = "+---+---+\n| a | b |\n+===+===+\n| 1 | 2 |\n+---+---+"
    assert kinds(f"{grid}\n\nafter", markdown=False)[0] == (Kind.TABLE, grid)


def test_items_end_where_the_next_begins_and_keep_their_wrapped_lines():
    text = "Do this:\n- one\n  goes on\n- two\n1. three"
    assert kinds(text) == [
        (Kind.PARAGRAPH, "Do this:"),
        (Kind.ITEM, "- one\n  goes on"),
        (Kind.ITEM, "- two"),
        (Kind.ITEM, "1. three"),
    ]


def test_a_number_at_the_start_of_a_wrapped_line_begins_no_list():
    assert [kind for kind, _ in kinds("They swarmed in the year\n20. Nobody knew")] == [Kind.PARAGRAPH]


@pytest.mark.parametrize(
    "aside",
    [
        "<!-- a\ncomment -->",
        "***",
        "[name]: https://example.org",
        "[![build](https://e.org/a.svg)](https://e.org) ![b](c)",
        '<p align="center">',
    ],
)
def test_what_is_not_read_is_aside(aside):
    assert {kind for kind, _ in kinds(f"text\n\n{aside}\n\ntext")} == {Kind.PARAGRAPH, Kind.ASIDE}


def test_front_matter_is_aside_and_a_rule_at_the_start_is_not_front_matter():
    assert kinds("---\ntitle: x\ntags:\n- a\n---\ntext") == [
        (Kind.ASIDE, "---\ntitle: x\ntags:\n- a\n---"),
        (Kind.PARAGRAPH, "text"),
    ]
    assert (Kind.PARAGRAPH, "Some text.") in kinds("---\n\nSome text.\n\n---\n")


@pytest.mark.parametrize(
    "line",
    [
        "<!--",
        "```",
        "![",
        "[![a](",
        "<",
        "- ",
        "| a |",
        "    ",
        "#",
        "~~~ `",
        "=== ",
        "* * ",
        "1. A\n",
        "> ",
        "--",
        " ",
    ],
)
@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("markdown", [True, False])
def test_time_grows_with_length_and_not_with_its_square(line, end, markdown):
    """A hundred thousand hostile characters: with a quadratic step this would run for minutes."""
    text = (line + end) * (100_000 // len(line + end)) + "x"
    assert sum(block.end - block.start for block in blocks(text, markdown=markdown)) <= len(text)
