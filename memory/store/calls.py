"""LangGraph's calls on a store, made into operations.

The same as `BaseStore`'s own, except that labels may hold dots: `BaseStore` refuses them because other stores join
labels with dots. What is wrong with a call is found by `batch`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from langgraph.store.base import (
    NOT_PROVIDED,
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    NotProvided,
    PutOp,
    SearchItem,
    SearchOp,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langgraph.store.base import NamespacePath, TTLConfig

    Namespace = tuple[str, ...]
    Index = Literal[False] | list[str] | None
    Ttl = float | NotProvided | None


class CallsBatch(BaseStore):
    """A store that answers each call by a batch of one operation."""

    __slots__ = ()

    def get(self, namespace: Namespace, key: str, *, refresh_ttl: bool | None = None) -> Item | None:
        """The item of a key, or None."""
        return cast("Item | None", self.batch([_get(self.ttl_config, namespace, key, refresh_ttl)])[0])

    async def aget(self, namespace: Namespace, key: str, *, refresh_ttl: bool | None = None) -> Item | None:
        """As `get`."""
        return cast("Item | None", (await self.abatch([_get(self.ttl_config, namespace, key, refresh_ttl)]))[0])

    def search(
        self,
        namespace_prefix: Namespace,
        /,
        *,
        query: str | None = None,
        filter: dict[str, Any] | None = None,  # noqa: A002  # LangGraph's name
        limit: int = 10,
        offset: int = 0,
        refresh_ttl: bool | None = None,
    ) -> list[SearchItem]:
        """Items below the prefix that pass the filter: nearest to the query first; without one, newest first."""
        refreshes = _refreshes(self.ttl_config, refresh_ttl)
        op = SearchOp(namespace_prefix, filter, limit, offset, query, refreshes)
        return cast("list[SearchItem]", self.batch([op])[0])

    async def asearch(
        self,
        namespace_prefix: Namespace,
        /,
        *,
        query: str | None = None,
        filter: dict[str, Any] | None = None,  # noqa: A002  # LangGraph's name
        limit: int = 10,
        offset: int = 0,
        refresh_ttl: bool | None = None,
    ) -> list[SearchItem]:
        """As `search`."""
        refreshes = _refreshes(self.ttl_config, refresh_ttl)
        op = SearchOp(namespace_prefix, filter, limit, offset, query, refreshes)
        return cast("list[SearchItem]", (await self.abatch([op]))[0])

    def put(
        self,
        namespace: Namespace,
        key: str,
        value: Mapping[str, Any],
        index: Index = None,
        *,
        ttl: Ttl = NOT_PROVIDED,
    ) -> None:
        """Store an item in place of what the key had."""
        self.batch([PutOp(namespace, str(key), value, index, _ttl(self.ttl_config, ttl))])

    async def aput(
        self,
        namespace: Namespace,
        key: str,
        value: Mapping[str, Any],
        index: Index = None,
        *,
        ttl: Ttl = NOT_PROVIDED,
    ) -> None:
        """As `put`."""
        await self.abatch([PutOp(namespace, str(key), value, index, _ttl(self.ttl_config, ttl))])

    def delete(self, namespace: Namespace, key: str) -> None:
        """Delete the item of a key, if there is one."""
        self.batch([PutOp(namespace, str(key), None)])

    async def adelete(self, namespace: Namespace, key: str) -> None:
        """As `delete`."""
        await self.abatch([PutOp(namespace, str(key), None)])

    def list_namespaces(
        self,
        *,
        prefix: NamespacePath | None = None,
        suffix: NamespacePath | None = None,
        max_depth: int | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[Namespace]:
        """Namespaces that have items, cut to `max_depth` labels, each once, in order. A star is any one label."""
        op = ListNamespacesOp(_matching(prefix, suffix), max_depth, limit, offset)
        return cast("list[Namespace]", self.batch([op])[0])

    async def alist_namespaces(
        self,
        *,
        prefix: NamespacePath | None = None,
        suffix: NamespacePath | None = None,
        max_depth: int | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[Namespace]:
        """As `list_namespaces`."""
        op = ListNamespacesOp(_matching(prefix, suffix), max_depth, limit, offset)
        return cast("list[Namespace]", (await self.abatch([op]))[0])


def _get(config: TTLConfig | None, namespace: Namespace, key: str, refresh_ttl: bool | None) -> GetOp:
    return GetOp(namespace, str(key), _refreshes(config, refresh_ttl))


def _refreshes(config: TTLConfig | None, asked: bool | None) -> bool:
    return (config or {}).get("refresh_on_read", True) if asked is None else asked


def _ttl(config: TTLConfig | None, asked: Ttl) -> float | None:
    return (config or {}).get("default_ttl") if isinstance(asked, NotProvided) else asked


def _matching(prefix: NamespacePath | None, suffix: NamespacePath | None) -> tuple[MatchCondition, ...]:
    starts = (MatchCondition("prefix", prefix),) if prefix else ()
    ends = (MatchCondition("suffix", suffix),) if suffix else ()
    return starts + ends
