"""Items whose time runs out."""

import asyncio
from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import AgentEvent
from memory import selectors
from memory.models import AgentMemory, MemoryVector
from memory.search import MemoryFilter
from memory.services import memories
from memory.store import QueenrightStore
from tests.factories import make_project

NS = ("bees",)
SECOND = timedelta(seconds=1)


def pass_time(**passed) -> None:
    """Let items be older than they are."""
    for item in AgentMemory.objects.filter(expires_at__isnull=False):
        AgentMemory.objects.filter(pk=item.pk).update(expires_at=item.expires_at - timedelta(**passed))


def minutes_left(key: str = "one") -> float:
    return round((AgentMemory.objects.get(key=key).expires_at - timezone.now()) / timedelta(minutes=1))


def test_an_item_expires_when_its_time_is_up(store):
    store.put(NS, "one", {"text": "a"}, ttl=10)
    store.put(NS, "two", {"text": "a"})
    assert minutes_left() == 10
    pass_time(minutes=9)
    assert store.get(NS, "one", refresh_ttl=False)
    pass_time(minutes=2)
    assert store.get(NS, "one") is None
    assert [item.key for item in store.search(NS)] == ["two"]
    assert [item.key for item in store.search(NS, query="a")] == ["two"]
    assert store.list_namespaces() == [NS]
    store.delete(NS, "two")
    assert store.list_namespaces() == []


def test_expired_items_show_until_they_are_swept_where_that_is_asked_for(make_store):
    store = make_store(ttl={"omit_expired": False})
    store.put(NS, "one", {}, ttl=1)
    pass_time(minutes=2)
    assert store.get(NS, "one", refresh_ttl=False)
    assert store.search(NS, refresh_ttl=False)
    assert store.list_namespaces() == [NS]
    assert store.sweep_ttl() == 1
    assert store.get(NS, "one") is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "read",
    [
        lambda store, **how: store.get(NS, "one", **how),
        lambda store, **how: store.search(NS, **how),
        lambda store, **how: store.search(NS, query="a", **how),
        lambda store, **how: asyncio.run(store.aget(NS, "one", **how)),
        lambda store, **how: asyncio.run(store.asearch(NS, **how)),
    ],
)
def test_reading_begins_the_time_anew_unless_told_not_to(make_store, read):
    store = make_store()
    store.put(NS, "one", {"text": "a"}, ttl=100)
    pass_time(minutes=50)
    assert read(store, refresh_ttl=False)
    assert minutes_left() == 50
    assert read(store)
    assert minutes_left() == 100
    pass_time(minutes=50)
    quiet = make_store(ttl={"refresh_on_read": False})
    assert read(quiet)
    assert minutes_left() == 50
    assert read(quiet, refresh_ttl=True)
    assert minutes_left() == 100


def test_a_read_soon_after_another_writes_nothing(store):
    store.put(NS, "one", {}, ttl=100)
    before = AgentMemory.objects.get().expires_at
    store.get(NS, "one")
    assert AgentMemory.objects.get().expires_at == before
    pass_time(minutes=2)
    store.get(NS, "one")
    assert AgentMemory.objects.get().expires_at > before


@pytest.mark.django_db(transaction=True)
def test_a_put_sets_the_time_or_ends_it(make_store):
    store = make_store(ttl={"default_ttl": 5})
    store.put(NS, "one", {})
    assert minutes_left() == 5
    store.put(NS, "one", {}, ttl=7)
    assert minutes_left() == 7
    store.put(NS, "one", {}, ttl=None)
    assert AgentMemory.objects.get().expires_at is None
    asyncio.run(store.aput(NS, "one", {}))
    assert minutes_left() == 5


def test_what_takes_the_place_of_an_expired_item_is_new(store):
    store.put(NS, "one", {}, ttl=1)
    first = store.get(NS, "one")
    pass_time(minutes=2)
    store.put(NS, "one", {})
    assert store.get(NS, "one").created_at > first.created_at


@pytest.mark.parametrize("ttl", [-1, float("nan"), float("inf"), 1e300])
def test_times_that_cannot_be_are_refused(store, ttl):
    with pytest.raises(ValueError, match="minutes"):
        store.put(NS, "one", {}, ttl=ttl)


def test_an_item_without_time_is_gone_at_once(store):
    store.put(NS, "one", {}, ttl=0)
    assert store.get(NS, "one") is None


def test_a_sweep_deletes_what_has_expired_in_the_project_with_events(store):
    other = QueenrightStore(make_project().pk, index=False)
    other.put(NS, "theirs", {}, ttl=1)
    store.put(NS, "one", {"parts": ["a", "b"]}, ["parts[*]"], ttl=1)
    store.put(NS, "two", {}, ttl=100)
    store.put(NS, "three", {})
    gone = AgentMemory.objects.get(key="one").pk
    pass_time(minutes=2)
    assert store.sweep_ttl() == 1
    assert store.sweep_ttl() == 0
    assert set(AgentMemory.objects.values_list("key", flat=True)) == {"theirs", "two", "three"}
    assert not MemoryVector.objects.exists()
    last = AgentEvent.objects.filter(aggregate_id=gone).order_by("version").last()
    assert last.event_data["change"] == "expired"


def test_the_sweeper_of_memories_takes_items_too_and_the_page_leaves_them_out(store):
    store.put(NS, "one", {}, ttl=1)
    project = AgentMemory.objects.get().project_id
    pass_time(minutes=2)
    assert selectors.find(project, "", MemoryFilter(), 5) == []
    assert memories.drop_expired() == 1


def test_a_put_sweeps_when_that_is_due(make_store):
    store = make_store(ttl={"sweep_interval_minutes": 5})
    store.put(NS, "one", {}, ttl=1)
    pass_time(minutes=2)
    store.put(NS, "two", {})
    assert AgentMemory.objects.count() == 2
    store._swept_at -= 5 * 60
    store.put(NS, "three", {})
    assert set(AgentMemory.objects.values_list("key", flat=True)) == {"two", "three"}
