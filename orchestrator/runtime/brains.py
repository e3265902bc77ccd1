"""Which brain a mission thinks with."""

from functools import cache

from agents.graphs.ports import Account, Brain
from orchestrator.conf import model_settings

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

    known = model_settings()
    return chat.connect(
        model,
        base_url=known.base_url,
        api_key=known.api_key,
        timeout=known.timeout,
        retries=known.retries,
        input_price=known.input_price,
        output_price=known.output_price,
        account=account,
    )
