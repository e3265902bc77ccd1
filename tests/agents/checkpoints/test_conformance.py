"""LangGraph's own suite for savers. It drives the asynchronous methods, which run the synchronous ones."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability
from langgraph.checkpoint.conformance.report import CapabilityReport

from agents.checkpoints import QueenrightSaver
from tests.agents.checkpoints.conftest import EnsureThread

TESTS = 81


@pytest.fixture
def report(ensure_thread: EnsureThread) -> CapabilityReport:
    @checkpointer_test(name="QueenrightSaver")
    async def registered() -> AsyncGenerator[QueenrightSaver, None]:
        yield QueenrightSaver(ensure_thread=ensure_thread)

    return asyncio.run(validate(registered))


def test_every_capability_is_detected_and_passes(report: CapabilityReport):
    assert len(Capability) == 8
    for capability in Capability:
        result = report.results[capability.value]
        assert result.detected, capability
        assert result.passed, result.failures
        assert result.tests_passed > 0, capability
    assert report.passed_all()
    assert sum(result.tests_passed for result in report.results.values()) == TESTS
