"""Is there such a chat model? Said early, where a person can still mend the name."""

from __future__ import annotations

import importlib.util
from difflib import get_close_matches
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from pydantic import BaseModel

from agents.errors import ModelUnavailable
from agents.graphs.brains.chat_calls import within

OPENAI = "openai"
OPENAI_ADDRESS = "https://api.openai.com/v1"
LONGEST_LIST = 10_000_000  # bytes
SUGGESTIONS = 5

# LangChain's providers have packages of their names, but for these. Its own table takes seconds to import.
_PACKAGES = {
    "anthropic_bedrock": "langchain_aws",
    "azure_openai": "langchain_openai",
    "bedrock": "langchain_aws",
    "bedrock_converse": "langchain_aws",
    "google_anthropic_vertex": "langchain_google_vertexai",
    "nvidia": "langchain_nvidia_ai_endpoints",
}
_PROVIDERS = frozenset(_PACKAGES) | {
    *("anthropic", "azure_ai", "baseten", "cohere", "deepseek", "fireworks", "google_genai"),
    *("google_vertexai", "groq", "huggingface", "ibm", "litellm", "meta", "mistralai", "ollama", "openai"),
    *("openrouter", "perplexity", "together", "upstage", "xai"),
}


def provider_and_model(name: str) -> tuple[str, str]:
    """The two parts of `name`, a provider:model. Raises ModelUnavailable, which says what is wrong with it.

    The model's own name may hold colons, as in ollama:llama3.2:3b.
    """
    provider, colon, model = name.strip().partition(":")
    provider = provider.lower().replace("-", "_")
    if not (provider and colon and model.strip()):
        raise ModelUnavailable(f"“{name}” is no model: write provider:name, such as openai:gpt-5-mini.")
    if provider not in _PROVIDERS:
        raise ModelUnavailable(f"There is no provider “{provider}”. Known are {', '.join(sorted(_PROVIDERS))}.")
    package = package_of(provider)
    if importlib.util.find_spec(package) is None:
        missing = package.replace("_", "-")
        raise ModelUnavailable(f"Models of {provider} need the package {missing}, which is not installed here.")
    return provider, model.strip()


def package_of(provider: str) -> str:
    """The Python package through which LangChain speaks to `provider`."""
    return _PACKAGES.get(provider, f"langchain_{provider}")


def check_name(name: str, *, base_url: str, api_key: str, timeout: float = 3) -> str | None:
    """Why there is no model `name` (provider:model), in words; None where it is there or nobody can tell.

    A server that speaks OpenAI's protocol is asked for its list of models, for `timeout` seconds at most. One
    that does not answer is no reason to refuse the name.
    """
    try:
        provider, model = provider_and_model(name)
    except ModelUnavailable as error:
        return str(error)
    if provider != OPENAI:
        return None
    try:
        offered = within(timeout, lambda: _offered(base_url or OPENAI_ADDRESS, api_key, timeout))
    except (OSError, HTTPException, ValueError):
        return None
    if not offered or model in offered or f"{model}:latest" in offered:  # Ollama lets its tag be left out
        return None
    near = get_close_matches(model, offered, n=SUGGESTIONS, cutoff=0) or offered[:SUGGESTIONS]
    return f"The model server has no model “{model}”. It has {', '.join(near)}{_more(len(offered) - len(near))}."


def _more(count: int) -> str:
    return f" and {count} more" if count else ""


class _Listed(BaseModel):
    id: str


class _ModelList(BaseModel):
    data: list[_Listed]


def _offered(base_url: str, api_key: str, timeout: float) -> list[str]:
    """The names in a server's list of models. Raises ValueError where it sends none."""
    if urlsplit(base_url).scheme not in {"http", "https"}:
        raise ValueError("not an HTTP address")
    request = Request(f"{base_url.rstrip('/')}/models", headers={"Accept": "application/json"})  # noqa: S310 - checked
    if api_key:
        request.add_unredirected_header("Authorization", f"Bearer {api_key}")
    try:
        with urlopen(request, timeout=timeout) as response:  # noqa: S310 - checked above
            listed = _ModelList.model_validate_json(response.read(LONGEST_LIST))
    except HTTPError as refused:
        refused.close()
        raise
    return [model.id for model in listed.data]
