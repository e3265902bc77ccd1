"""Questions: those an objective asks, those a heading offers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.graphs.brains.extractive_headings import about, calm, introduced, names_in, offered
from agents.graphs.brains.extractive_questions import asked


@pytest.mark.parametrize(
    ("objective", "questions"),
    [
        ("How do bees find flowers?", ["How do bees find flowers?"]),
        (
            "What does Queenright promise when processes die, and how is it tested?",
            ["What does Queenright promise when processes die?", "How is Queenright tested?"],
        ),
        (
            "Explain how the saver stores checkpoints and why it is fast.",
            ["How does the saver store checkpoints?", "Why is the saver fast?"],
        ),
        (
            "Find out how it works, what it costs and who uses it.",
            ["How does it work?", "What does it cost?", "Who uses it?"],
        ),
        ("Compare honey and sugar", ["How do honey and sugar compare?"]),
        ("Summarise the minutes.", ["What are the main points of the minutes?"]),
        (
            "Find electrolytes that keep 1 mS/cm after 24 h; a cited shortlist of five.",
            ["Which electrolytes keep 1 mS/cm after 24 h?"],
        ),
        ("I want to understand swarms.", ["What do the sources say about swarms?"]),
        ("the waggle dance", ["What do the sources say about the waggle dance?"]),
        ("Under which conditions may honey be sold?", ["Under which conditions may honey be sold?"]),
        (
            "Which types does it offer, and when should each be used?",
            ["Which types does it offer, and when should each be used?"],
        ),
        ("Compare honey with sugar.", ["How do honey and sugar compare?"]),
        ("Tell me what beekeepers do.", ["What do beekeepers do?"]),
        (
            "Explain how bees, wasps and ants live",
            ["What do the sources say about how bees, wasps and ants live?"],
        ),
        ("Summarise the documents.", []),
        ("What do these sources say?", []),
        ("How do they dance?\n\nHow do they count?", ["How do they dance?", "How do they count?"]),
    ],
)
def test_an_objective_is_taken_apart_into_its_questions(objective, questions):
    assert asked(objective) == questions


@given(st.text(max_size=200) | st.text(st.sampled_from("how what and,;?. it is bees\n"), max_size=200))
def test_any_objective_gives_questions_that_differ(objective):
    questions = asked(objective)
    assert len(questions) == len(set(questions))


@pytest.mark.parametrize(
    ("heading", "parent", "question"),
    [
        ("Installation", "pgvector", "How is pgvector installed?"),
        ("Installation", "", ""),
        ("Overview", "How the parts fit", ""),
        ("Running tests", "", "What does running tests involve?"),
        ("How to Contribute", "", "How does one contribute?"),
        ("Configure logging", "", "How does one configure logging?"),
        ("Query options", "", "What do the sources say about query options?"),
        ("Why Celery?", "", "Why Celery?"),
        ("When something goes wrong", "", "What happens when something goes wrong?"),
        ("A worker dies", "", "What happens when a worker dies?"),
        ("What a request shows", "", "What does a request show?"),
        ("Who may decide", "", "Who may decide?"),
        ("HNSW", "Indexing", "What do the sources say about HNSW in indexing?"),
        ("Shared state between agents", "", "What do the sources say about shared state between agents?"),
        ("Four ideas", "", ""),
        ("1", "", ""),
        ("LICENCE AGREEMENT", "", "What do the sources say about Licence Agreement?"),
    ],
)
def test_a_heading_offers_the_question_that_its_section_answers(heading, parent, question):
    assert offered(heading, parent) == question


def test_names_keep_their_capital_inside_a_question():
    names = names_in(["It is lost when Redis dies. Redis comes back."])
    assert names == {"Redis"}
    assert offered("Redis dies", "", names) == "What happens when Redis dies?"


@given(st.text(max_size=80), st.text(max_size=40))
def test_any_heading_offers_one_question_or_none(heading, parent):
    question = offered(heading, parent)
    assert question == "" or question.endswith("?")


def test_a_title_introduces_what_it_names():
    assert introduced("Queenright") == "What is Queenright?"
    assert introduced("Approvals") == "What do the sources say about approvals?"
    assert introduced("How the parts fit") == ""


def test_phrases_are_asked_about():
    assert about(["waggle dance", "sun"]) == "What do the sources say about waggle dance and sun?"


def test_capitals_are_calmed_and_abbreviations_stay():
    assert calm("TERMS AND CONDITIONS OF THE BSD") == "Terms and Conditions of the BSD"
    assert calm("HTTP") == "HTTP"
    assert calm("A Title") == "A Title"
