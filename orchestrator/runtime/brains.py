"""Which brain a mission thinks with."""

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache

from agents.graphs.ports import Account, Brain, Line, Recall
from orchestrator.conf import ModelSettings, model_settings, retry_limits, reuse_limits

EXTRACTIVE = ""


@cache
def _extractive() -> Brain:
    from agents.graphs.brains.extractive import ExtractiveBrain
    from memory import embedders

    return ExtractiveBrain(embedders.active())


def brain_for(model: str, *, account: Account, line: Callable[[str, str], Line], recall: Recall) -> Brain:
    """The brain of `model` (provider:name); the extractive one, which needs no model, where it is empty.

    `line` makes the way to a model at an address, `recall` has its kept replies. Raises ModelUnavailable when there is
    no such model.
    """
    if model == EXTRACTIVE:
        return _extractive()
    from agents.graphs.brains import chat

    settings = settings_for(model)
    limits = retry_limits(settings.retries)
    return chat.connect(
        **asdict(settings),
        account=account,
        line=line(settings.name, settings.base_url),
        recall=recall if _reuses(settings) else None,
        backoff=limits.backoff,
        longest=limits.longest,
    )


def _reuses(settings: ModelSettings) -> bool:
    """Is the same question expected to have the same answer?"""
    limits = reuse_limits()
    return bool(limits.life) and (limits.warm or settings.temperature == 0)


def settings_for(model: str) -> ModelSettings:
    """How to reach `model`. The configured address and key belong to the configured provider, and go to no other."""
    known = model_settings()
    if model.partition(":")[0] == known.name.partition(":")[0]:
        return replace(known, name=model)
    return replace(known, name=model, base_url="", api_key="")
