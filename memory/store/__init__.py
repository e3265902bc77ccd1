"""LangGraph's store on Django's database, for any Django project that installs `agents` and `memory`."""

from memory.store.store import QueenrightStore

__all__ = ["QueenrightStore"]
