"""Is there such a model? The answers that the New mission form shows."""

import importlib
from collections.abc import Iterator

import pytest

from agents.graphs.brains import chat, chat_names
from tests.agents.chat.world import KEY
from tests.model_server import MODEL, ModelServer


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(models=(MODEL, "small:latest", "other"), key=KEY) as running:
        yield running


def check(name: str, server: ModelServer, *, api_key: str = KEY, path: str = "") -> str | None:
    return chat.check_name(name, base_url=server.base_url + path, api_key=api_key)


@pytest.mark.parametrize("name", [f"openai:{MODEL}", f" OpenAI:{MODEL} ", "openai:small", "openai:small:latest"])
def test_name_that_the_server_lists_is_right(server: ModelServer, name: str) -> None:
    assert check(name, server) is None


def test_unknown_name_is_told_with_the_nearest_known_ones(server: ModelServer) -> None:
    message = check("openai:thoughtful-2", server)
    assert message
    assert message.startswith(f"The model server has no model “thoughtful-2”. It has {MODEL}, ")


def test_long_list_is_cut() -> None:
    with ModelServer(models=[f"model-{number}" for number in range(40)]) as server:
        message = check("openai:x", server)
    assert message
    assert message.endswith("and 35 more.")


@pytest.mark.parametrize("name", ["", "  ", "gpt", ":x", "openai:", "openai: ", "nobody:x", "core:x", "../x:y"])
def test_name_of_wrong_form_or_provider_is_refused(server: ModelServer, name: str) -> None:
    assert check(name, server)


def test_missing_package_is_named(server: ModelServer) -> None:
    message = check("anthropic:claude", server)
    assert message
    assert "langchain-anthropic" in message


def test_refused_key_or_wrong_path_is_no_reason_against_a_name(server: ModelServer) -> None:
    assert check("openai:nobody", server, api_key="wrong") is None
    assert check("openai:nobody", server, path="/elsewhere") is None


@pytest.mark.parametrize("address", ["file:///etc", "http://[", "nonsense", "ftp://127.0.0.1/"])
def test_odd_address_is_no_reason_against_a_name(address: str) -> None:
    assert chat.check_name("openai:nobody", base_url=address, api_key="") is None


def test_server_that_is_down_is_no_reason_against_a_name() -> None:
    with ModelServer() as server:
        pass
    assert check("openai:nobody", server) is None


@pytest.mark.parametrize("models", [[], [MODEL]])
def test_server_that_lists_nothing_can_tell_nothing(models: list[str]) -> None:
    with ModelServer(models=models) as server:
        assert (check("openai:nobody", server) is None) == (not models)


def test_packages_are_those_that_langchain_takes() -> None:
    registry = importlib.import_module("langchain.chat_models.base")._BUILTIN_PROVIDERS
    taken = {provider: module.split(".")[0] for provider, (module, *_) in registry.items()}
    ours = {provider: chat_names.package_of(provider) for provider in chat_names._PROVIDERS}
    assert ours.items() <= taken.items()
