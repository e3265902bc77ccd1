"""A model server, an account and a brain for each test of the chat brain."""

from collections.abc import Iterator

import pytest

from agents.graphs.brains.chat import ChatBrain
from tests.agents.chat.world import Bills, brain_of
from tests.model_server import ModelServer


@pytest.fixture(scope="module")
def shared() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def server(shared: ModelServer) -> ModelServer:
    shared.reset()
    return shared


@pytest.fixture
def bills() -> Bills:
    return Bills()


@pytest.fixture
def brain(server: ModelServer) -> ChatBrain:
    return brain_of(server.base_url, Bills(), retries=1)
