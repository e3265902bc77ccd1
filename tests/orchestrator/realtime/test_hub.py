"""The hub: nothing is lost, nothing comes twice, and what waits is bounded."""

import asyncio
import json
from uuid import uuid4

import pytest

from orchestrator.env import environment
from orchestrator.realtime import feed
from orchestrator.realtime import hub as hubs
from orchestrator.realtime.feed import Fact
from orchestrator.realtime.hub import FeedUnavailable, Hub, Subscriber
from tests.servers import cut_redis_connections

PATIENCE = 60.0


def fact(key: str, kind: str = "session.moved") -> Fact:
    return Fact(kind, f"session:{key}", "mission", str(uuid4()))


def publish(project, *keys: str, kind: str = "session.moved") -> None:
    assert feed.publish((project, fact(key, kind)) for key in keys)


async def frame(subscriber, patience: float = PATIENCE) -> dict:
    return json.loads(await subscriber.frame(patience))


def keys(frame: dict) -> list[str]:
    return [key.removeprefix("session:") for _, key, _ in frame.get("facts", [])]


async def all_keys(subscriber, count: int) -> list[str]:
    """Keys of the next frames until there are `count`, in the order of their coming."""
    found: list[str] = []
    while len(found) < count:
        found += keys(await frame(subscriber))
    return found


@pytest.fixture
def in_hub():
    """Runs a test's coroutine with a hub, whose reader and connections end with it."""

    def run(test):
        async def inside():
            hub = Hub(environment().redis_address)
            try:
                return await asyncio.wait_for(test(hub), 30)
            finally:
                await hub.close()

        return asyncio.run(inside())

    return run


def test_a_new_page_gets_what_came_after_its_cursor_and_nothing_before(in_hub):
    project = uuid4()
    publish(project, "shown")
    cursor = feed.cursor(project)
    publish(project, "missed1", "missed2")

    async def test(hub):
        return await frame(await hub.join(project, cursor))

    got = in_hub(test)
    assert keys(got) == ["missed1", "missed2"]
    assert got["cursor"] == feed.cursor(project)


def test_a_page_that_missed_nothing_gets_a_sign_of_life_at_once(in_hub):
    project = uuid4()
    publish(project, "shown")

    async def test(hub):
        return await frame(await hub.join(project, feed.cursor(project)))

    assert in_hub(test) == {"cursor": feed.cursor(project)}


def test_facts_come_live_to_every_page_of_their_project_only(in_hub):
    one, other = uuid4(), uuid4()

    async def test(hub):
        pages = [await hub.join(project, feed.START) for project in (one, one, other)]
        for page in pages:
            await frame(page)
        await asyncio.to_thread(publish, one, "a")
        await asyncio.to_thread(publish, other, "b")
        return [await all_keys(page, 1) for page in pages]

    assert in_hub(test) == [["a"], ["a"], ["b"]]


def test_facts_of_one_type_about_one_thing_go_out_once(in_hub):
    project = uuid4()

    async def test(hub):
        page = await hub.join(project, feed.START)
        await frame(page)
        await asyncio.to_thread(publish, project, *["same"] * 50)
        await asyncio.to_thread(publish, project, "same", kind="session.created")
        while len(page._waiting) < 2:
            await asyncio.sleep(0.01)
        return await frame(page)

    assert sorted(kind for kind, _, _ in in_hub(test)["facts"]) == ["session.created", "session.moved"]


def test_a_page_too_far_behind_is_told_to_reset_and_goes_on(in_hub, monkeypatch):
    monkeypatch.setattr(hubs, "MAX_WAITING", 10)
    project = uuid4()

    async def test(hub):
        page = await hub.join(project, feed.START)
        await frame(page)
        await asyncio.to_thread(publish, project, *map(str, range(25)))
        while page.cursor != feed.cursor(project):
            await asyncio.sleep(0.01)
        first = await frame(page)
        assert len(page._waiting) <= 10
        await asyncio.to_thread(publish, project, "after")
        return first, await frame(page)

    first, second = in_hub(test)
    assert first["reset"] and "facts" not in first
    assert keys(second) == ["after"]


@pytest.mark.parametrize("cursor", ["1-1", "0-0", "9999999999999-0", "", "nonsense", "1-1; DROP", "-", "9" * 40 + "-1"])
def test_a_cursor_that_the_stream_does_not_hold_means_reset(in_hub, cursor):
    project = uuid4()
    publish(project, "old")

    async def test(hub):
        return await frame(await hub.join(project, cursor))

    assert in_hub(test) == {"cursor": feed.cursor(project), "reset": True}


def test_a_cursor_whose_entry_was_trimmed_means_reset(in_hub):
    project = uuid4()
    publish(project, "shown")
    cursor = feed.cursor(project)
    publish(project, "missed")
    feed.connection().xtrim(feed.stream(project), maxlen=1, approximate=False)

    async def test(hub):
        return await frame(await hub.join(project, cursor))

    assert in_hub(test)["reset"]


def test_more_than_a_replay_is_worth_means_reset(in_hub, monkeypatch):
    monkeypatch.setattr(hubs, "MAX_REPLAY", 5)
    project = uuid4()
    publish(project, "shown")
    cursor = feed.cursor(project)
    publish(project, *map(str, range(6)))

    async def test(hub):
        return await frame(await hub.join(project, cursor))

    assert in_hub(test)["reset"]


def test_nothing_is_lost_or_doubled_while_pages_come_and_go_under_load(in_hub):
    project, others = uuid4(), [uuid4() for _ in range(5)]
    publish(project, "first")
    cursor, total = feed.cursor(project), 400

    async def write():
        for number in range(total):
            await asyncio.to_thread(publish, project, str(number))

    async def disturb(hub):
        for turn in range(40):  # each first and last page of a project makes the hub read other streams
            page = await hub.join(others[turn % 5], feed.START)
            await asyncio.sleep(0.002)
            hub.leave(others[turn % 5], page)

    async def watch(hub, delay):
        await asyncio.sleep(delay)
        return await all_keys(await hub.join(project, cursor), total)

    async def test(hub):
        watchers = [watch(hub, delay) for delay in (0, 0.05, 0.1, 0.2, 0.4)]
        return (await asyncio.gather(write(), disturb(hub), *watchers))[2:]

    for seen in in_hub(test):
        assert seen == [str(number) for number in range(total)]


def test_a_page_that_comes_back_gets_what_it_missed_by_the_cursor_of_its_last_frame(in_hub):
    project = uuid4()

    async def test(hub):
        page = await hub.join(project, feed.START)
        await frame(page)
        await asyncio.to_thread(publish, project, "a")
        last = await frame(page)
        hub.leave(project, page)
        await asyncio.to_thread(publish, project, "b", "c")
        return await frame(await hub.join(project, last["cursor"]))

    assert keys(in_hub(test)) == ["b", "c"]


def test_pages_are_told_when_redis_goes_away_and_can_come_back(in_hub):
    project = uuid4()

    async def test(hub):
        page = await hub.join(project, feed.START)
        await frame(page)
        killed = 0
        while not killed:
            killed = await asyncio.to_thread(cut_redis_connections)
            await asyncio.sleep(0.01)
        with pytest.raises(FeedUnavailable):
            while True:
                await page.frame(PATIENCE)
        await asyncio.to_thread(publish, project, "later")
        again = await hub.join(project, feed.START)
        return await frame(again)

    assert in_hub(test)["reset"]


def test_pages_are_told_when_what_is_read_makes_no_sense(in_hub):
    project = uuid4()

    async def test(hub):
        page = await hub.join(project, feed.START)
        await frame(page)
        entry = {"not": "a fact"}
        await asyncio.to_thread(feed.connection().xadd, feed.stream(project), entry)
        with pytest.raises(FeedUnavailable):
            await page.frame(PATIENCE)
        return hub._reader

    assert in_hub(test) is None


def test_a_page_cannot_join_while_redis_is_away(redis_away, in_hub):
    async def test(hub):
        with pytest.raises(FeedUnavailable):
            await hub.join(uuid4(), feed.START)
        return hub._subscribers

    assert in_hub(test) == {}


def test_a_hub_without_pages_reads_nothing(in_hub):
    project = uuid4()

    async def test(hub):
        page = await hub.join(project, feed.START)
        assert hub._reader
        hub.leave(project, page)
        hub.leave(project, page)
        return hub._reader, hub._positions, hub._subscribers

    assert in_hub(test) == (None, {}, {})


def test_what_comes_in_while_the_missed_facts_are_read_is_kept_behind_them():
    async def test():
        page = Subscriber()
        page.offer("5-0", fact("live"))
        page.begin([("3-0", fact("missed"))], "4-0", reset=False)
        page.offer("4-0", fact("double"))
        return await frame(page)

    got = asyncio.run(test())
    assert keys(got) == ["missed", "live"]
    assert got["cursor"] == "5-0"
