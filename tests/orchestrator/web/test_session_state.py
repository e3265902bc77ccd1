"""A state as a tree: what is sent at first, what an opened node fetches, what a hostile or huge one does."""

import html
import re
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint

from agents.checkpoints.saver import QueenrightSaver
from agents.errors import NotFound
from orchestrator.web import state_tree
from orchestrator.web.state_tree import children, path_of, rows
from orchestrator.web.state_values import as_json, preview, words
from tests.factories import make_mission

HOSTILE = ["\ud800", "a\0b", "<script>", "]]>", "“", "\u202e", "../..", "a.b[0]", ""]


def save(session, *states: dict) -> None:
    """One checkpoint for each state, each on top of the one before."""
    saver = QueenrightSaver()
    config: RunnableConfig = {"configurable": {"thread_id": str(session.pk), "checkpoint_ns": ""}}
    versions: dict[str, str] = {}
    for number, state in enumerate(states):
        fresh = {name: saver.get_next_version(versions.get(name), None) for name in state}
        versions |= fresh
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = state
        checkpoint["channel_versions"] = {**versions}
        config = saver.put(config, checkpoint, {"source": "loop", "step": number, "parents": {}}, {**fresh})


def messages(count: int) -> list:
    return [
        (HumanMessage if number % 2 else AIMessage)(f"message {number} says something", id=f"m{number}")
        for number in range(count)
    ]


def test_a_state_becomes_rows_with_levels_and_types():
    found = rows({"goal": "x", "found": [{"a": 1}, {"b": None}], "few": [1, 2], "none": {}})
    assert [(row.level, row.key, row.value, row.type_words, row.is_open) for row in found] == [
        (1, "goal", "“x”", "", None),
        (1, "found", "", "list, 2", True),
        (2, "0", "", "object, 1", False),
        (2, "1", "", "object, 1", False),
        (1, "few", "[1, 2]", "", None),
        (1, "none", "{}", "", None),
    ]


def test_every_row_that_can_be_opened_leads_to_its_children():
    state = {"found": [{"a": {"b": [1, {"c": "deep"}]}}], "odd": {7: "seven", (1, 2): {"x": "y"}, "": {"e": 1}}}

    def walk(found):
        for row in found:
            yield row.value
            if row.is_open is not None:
                yield from walk(children(state, path_of(row.address)))

    shut = [row for row in rows(state) if row.level == 1]
    assert {"“deep”", "“seven”", "“y”", "1"} <= set(walk(shut))


def test_pages_of_a_long_list_follow_each_other_without_a_gap():
    state = {"wide": list(range(10_000))}
    (top,) = rows(state)
    assert (top.type_words, top.is_open) == ("list, 10000", False)
    seen, start = [], 0
    while True:
        *found, last = children(state, ("wide",), start)
        if last.more is None:
            seen += [*found, last]
            break
        assert last.value == f"{10_000 - len(seen) - len(found)} more"
        seen, start = seen + found, last.more
    assert [row.value for row in seen] == [str(number) for number in range(10_000)]
    assert [row.place for row in seen] == list(range(1, 10_001))
    assert len({row.element_id for row in seen}) == 10_000


@pytest.mark.parametrize("address", ["", "x", "{}", "[1.5]", "[[]]", "[null]", "[true]", "[" * 100_000, "[1]" * 2])
def test_a_path_that_is_none_is_not_found(address):
    with pytest.raises(NotFound):
        path_of(address)


@pytest.mark.parametrize("path", [("no",), ("found", 9), ("found", -1), ("found", "0"), ("goal", 0), (0,)])
def test_a_path_that_leads_nowhere_is_not_found(path):
    with pytest.raises(NotFound):
        children({"goal": "x", "found": [1]}, path)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_keys_and_texts_can_be_sent_and_opened(text):
    state = {text: {text: [text] * 20}}
    (top,) = [row for row in rows(state) if row.level == 1]
    (inside,) = children(state, path_of(top.address))
    found = children(state, path_of(inside.address))
    assert len(found) == 20
    for row in (top, inside, *found):
        assert "\0" not in f"{row.key}{row.value}".encode().decode()


@dataclass
class Point:
    x: int
    inner: list


def test_objects_open_as_what_they_hold():
    state = {"point": Point(1, [{"a": 1}]), "set": {"a" * 200}, "message": AIMessage("hello", id="m")}
    texts = {row.key: row for row in children(state, ())}
    assert texts["point"].type_words == "object, 2"
    assert texts["set"].type_words == "list, 1"
    assert texts["message"].value == "“hello”"
    inside = {row.key: row.value for row in children(state, ("message",))}
    assert inside["content"] == "“hello”"
    assert inside["id"] == "“m”"


def test_a_deep_or_long_state_is_cut_to_what_can_be_read():
    deep: dict = {}
    for _ in range(500):
        deep = {"in": deep}
    state = {"deep": deep, "long": "x" * 100_000, "raw": b"123", **{f"k{number}": {"a": 1} for number in range(500)}}
    found = rows(state)
    assert len(found) <= 200
    assert max(len(row.value) for row in found) < 1000
    assert children(state, ("raw",)) == []
    assert words(b"123") == "3 bytes"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.0, 2**80, {1, 2}, ("a", 1), {(1, 2): 3}, object()])
def test_odd_values_have_words_and_json(value):
    assert preview(value)
    assert as_json({"value": value} if not isinstance(value, dict) else {"value": list(value)})


@pytest.mark.django_db(transaction=True)
class TestTenThousandMessages:
    @pytest.fixture
    def session(self, project, approver):
        session = make_mission(project, approver)
        before = messages(10_000)
        after = [*before]
        after[4321] = HumanMessage("changed", id="m4321")
        save(session, {"messages": before, "note": "one"}, {"messages": after, "note": "one"})
        return session

    def test_the_page_has_few_rows_and_bytes(self, page, session):
        text = page.get(f"/agents/{session.pk}/").content.decode()
        assert text.count('role="treeitem"') < 60
        assert len(text) < 60_000
        assert "list, 10000" in text

    def test_an_opened_node_fetches_one_page(self, page, session):
        text = page.get(f"/agents/{session.pk}/").content.decode()
        source = html.unescape(re.search(r'data-source="([^"]*)"', text)[1])
        opened = html.unescape(re.search(r'data-rows="([^"]*)"', text)[1])
        answer = page.get(f"{source}&{opened}")
        part = answer.content.decode()
        assert part.count('role="treeitem"') == state_tree.PAGE + 1
        assert len(part) < 40_000
        assert "9950 more" in part
        assert "message 49 says" in part
        last = page.get(f"{source}&{opened}&from=9990").content.decode()
        assert last.count('role="treeitem"') == 10
        assert "more" not in last

    def test_the_one_changed_message_is_the_only_difference(self, page, session):
        text = page.get(f"/agents/{session.pk}/").content.decode().split('id="changes"')[1].split("</section>")[0]
        assert "1 changed" in text
        assert "[4321]" in text
        assert text.count("<tr>") == 2
        assert "“message 4321 says something”" in text

    def test_the_changed_message_is_marked_where_it_is_opened(self, page, session):
        path = quote('["messages"]')
        latest, before = [
            str(pk) for pk in session.states.order_by("-created_at").values_list("checkpoint_id", flat=True)
        ]
        address = f"/agents/{session.pk}/state/?at={latest}&with={before}&path={path}&from=4300"
        marked = re.findall(r"data-ch>.*?</div>", page.get(address).content.decode(), re.S)
        assert len(marked) == 1
        assert "4321" in marked[0]
        assert "1 changed" in marked[0]
        assert "+" not in marked[0]

    def test_strangers_and_bad_addresses_get_404(self, page, stranger_page, session):
        good = f"/agents/{session.pk}/state/?path=%5B%5D"
        assert page.get(good).status_code == 200
        assert stranger_page.get(good).status_code == 404
        for query in ("", "path=x", "path=%5B%5D&from=x", "path=%5B%5D&from=-1", "path=%5B%22no%22%5D"):
            assert page.get(f"/agents/{session.pk}/state/?{query}").status_code == 404, query
