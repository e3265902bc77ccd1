"""What passages state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.graphs.brains.extractive_statements import MOST_WORDS, Statement, statements
from agents.graphs.findings import PassageText


def passage(text: str) -> PassageText:
    return PassageText(passage_id="p", source_id="s", source="a.md", text=text)


def said(text: str) -> list[str]:
    return [statement.text for statement in statements([passage(text)])]


def test_each_sentence_is_a_statement_without_markup():
    text = "The **queen** lays [eggs](http://e.org) all day. Workers feed `her` and clean the cells."
    assert said(text) == ["The queen lays eggs all day.", "Workers feed her and clean the cells."]


def test_a_sentence_that_leans_comes_with_the_one_before():
    text = "The dance is a figure of eight. It tells where the flowers are."
    assert said(text) == ["The dance is a figure of eight.", text]


def test_a_list_comes_with_the_line_that_announces_it():
    text = "A colony has three kinds of bees:\n- one queen;\n- *many* workers\n- some drones."
    assert said(text) == ["A colony has three kinds of bees: one queen; many workers; some drones."]


def test_items_of_a_long_list_are_statements_of_their_own():
    items = [f"- worker number {n} carries nectar and pollen home to the hive in the evening" for n in range(12)]
    found = said("They do this:\n" + "\n".join(items))
    assert found[0] == "Worker number 0 carries nectar and pollen home to the hive in the evening."
    assert len(found) == 12


@pytest.mark.parametrize(
    "scrap",
    [
        "```\nmake up and run all of it now\n```",
        "| a | b |\n|---|---|\n| one two three | four five six |",
        "def decide(user: User, verdict: str) -> Approval:",
        "from agents.models import AgentSession as a session",
        "x = {'a': [1, 2], 'b': foo(bar)} | baz->qux::y",
        "Too short.",
        "How do they find the flowers again?",
        "They do the following things every day:",
        "word " * (MOST_WORDS + 1),
    ],
)
def test_scraps_are_not_statements(scrap):
    assert said(scrap) == []


def test_what_reads_badly_alone_counts_less():
    def quality(text: str) -> float:
        (statement,) = statements([passage(text)])
        return statement.quality

    good = quality("The queen lays up to two thousand eggs a day.")
    assert good == 1
    for worse in (
        "However it lays up to two thousand eggs a day.",
        "See the chapter on queens for all that they do.",
        "Fix the queen that laid no eggs at all #1234.",
        "- Two thousand eggs a day in the early summer",
        "Read more in queens.md and about eggs in eggs.md today.",
    ):
        assert quality(worse) < good


def test_names_in_small_letters_keep_them_and_items_get_a_capital():
    assert said("tqdm shows a bar for every loop.") == ["tqdm shows a bar for every loop."]
    assert said("- shows a bar for every loop") == ["Shows a bar for every loop."]
    assert said("`decide` writes the row once and for all.") == ["decide writes the row once and for all."]


@given(st.text(st.sampled_from(list("ab. \n-*`#|:?!0(It")) | st.characters(), max_size=300))
def test_quotes_stand_in_their_passage_and_statements_are_one_line(text):
    given_passage = passage(text)
    for statement in statements([given_passage]):
        assert isinstance(statement, Statement)
        assert text[statement.start :].startswith(statement.quote)
        assert "\n" not in statement.text
        assert 0 < statement.quality <= 1
