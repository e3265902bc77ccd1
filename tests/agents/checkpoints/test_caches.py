"""What a bounded cache keeps."""

from agents.checkpoints.caches import BoundedCache


def test_what_was_used_longest_ago_is_forgotten_first():
    cache: BoundedCache[str, str] = BoundedCache(2)
    cache.put("a", "1")
    cache.put("b", "2")
    assert cache.get("a") == "1"
    cache.put("c", "3")
    assert [cache.get(key) for key in "abc"] == ["1", None, "3"]


def test_entries_are_weighed():
    cache: BoundedCache[str, str] = BoundedCache(10, len)
    cache.put("a", "xxxx")
    cache.put("b", "xxxx")
    cache.put("a", "xx")
    cache.put("c", "xxxx")
    assert [cache.get(key) for key in "abc"] == ["xx", "xxxx", "xxxx"]
    cache.put("d", "x" * 11)
    assert [cache.get(key) for key in "abcd"] == ["xx", "xxxx", "xxxx", None]
    cache.put("e", "x" * 10)
    cache.drop("e")
    cache.drop("e")
    cache.put("f", "x" * 10)
    assert cache.get("f") == "x" * 10


def test_many_are_asked_for_and_remembered_at_once():
    cache: BoundedCache[str, str] = BoundedCache(3)
    cache.put_many([("a", "1"), ("b", "2"), ("c", "3")])
    assert cache.get_many(["c", "a", "x"]) == {"c": "3", "a": "1"}
    cache.put_many([("d", "4"), ("e", "5")])
    assert cache.get_many("abcde") == {"a": "1", "d": "4", "e": "5"}
