"""LangGraph's own suite for savers. It drives the asynchronous methods, which run the synchronous ones."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.report import CapabilityReport

from agents.checkpoints import QueenrightSaver
from tests.agents.checkpoints.conftest import EnsureThread

BASE = ["put", "put_writes", "get_tuple", "list", "delete_thread"]


@pytest.fixture
def report(ensure_thread: EnsureThread) -> CapabilityReport:
    @checkpointer_test(name="QueenrightSaver")
    async def registered() -> AsyncGenerator[QueenrightSaver, None]:
        yield QueenrightSaver(ensure_thread=ensure_thread)

    return asyncio.run(validate(registered))


def test_every_base_capability_is_detected_and_passes(report: CapabilityReport):
    for capability in BASE:
        result = report.results[capability]
        assert result.detected, capability
        assert result.passed, result.failures
        assert result.tests_passed > 0, capability
    assert report.passed_all_base()
