"""Which brain a mission thinks with."""

from dataclasses import asdict, replace
from functools import cache

from agents.graphs.ports import Account, Brain
from orchestrator.conf import ModelSettings, model_settings

EXTRACTIVE = ""


@cache
def _extractive() -> Brain:
    from agents.graphs.brains.extractive import ExtractiveBrain
    from memory import embedders

    return ExtractiveBrain(embedders.active())


def brain_for(model: str, *, account: Account) -> Brain:
    """The brain of `model` (provider:name); the extractive one, which needs no model, where it is empty.

    Raises ModelUnavailable when there is no such model.
    """
    if model == EXTRACTIVE:
        return _extractive()
    from agents.graphs.brains import chat

    return chat.connect(**asdict(settings_for(model)), account=account)


def settings_for(model: str) -> ModelSettings:
    """How to reach `model`. The configured address and key belong to the configured provider, and go to no other."""
    known = model_settings()
    if model.partition(":")[0] == known.name.partition(":")[0]:
        return replace(known, name=model)
    return replace(known, name=model, base_url="", api_key="")
