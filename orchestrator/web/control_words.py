"""What steering an agent will do, and what it did, in sentences."""

from collections import Counter
from collections.abc import Sequence

from agents.outcomes import Outcome
from agents.selectors.reach import Reach

_DOES = {
    "pause": ("rests", "rest"),
    "resume": ("goes on", "go on"),
    "cancel": ("stops", "stop"),
    "retry": ("is tried again", "are tried again"),
    "prioritise": ("has that priority now", "have that priority now"),
    "tell": ("reads it at its next step", "read it at their next step"),
}
SIGNAL = "Whoever of this mission waits for it, and has waited longest, goes on with what it carries."
_NAMED = 3  # agents that are named in one sentence


def agents(count: int) -> str:
    """One agent, 4 agents."""
    return "one agent" if count == 1 else f"{count} agents"


def will(verb: str, reach: Reach, *, below: bool) -> str:
    """What an action does to how many, before it is done."""
    says = {
        "pause": _will_pause,
        "resume": _will_resume,
        "cancel": _will_cancel,
        "retry": _will_retry,
        "prioritise": _will_prioritise,
        "tell": _will_tell,
    }
    return says[verb](reach, below)


def _when(reach: Reach) -> str:
    at_once = reach.resting + reach.paused
    if reach.running and at_once:
        return f"{reach.running} at {'its' if reach.running == 1 else 'their'} next step, {at_once} at once"
    return "at the next step" if reach.running else "at once"


def _will_pause(reach: Reach, below: bool) -> str:
    count = reach.running + reach.resting
    at_once = f"{reach.running} at the next step, {reach.resting} at once"
    when = at_once if reach.running and reach.resting else "at the next step" if reach.running else "at once"
    told = f"{agents(count).capitalize()} {'rests' if count == 1 else 'rest'}: {when}."
    later = " Those that are started later begin paused." if below else " Those below go on."
    kept = " What is asked can still be decided." if reach.requests else ""
    return told + later + kept


def _will_resume(reach: Reach, below: bool) -> str:
    return f"{agents(reach.paused).capitalize()} {'goes' if reach.paused == 1 else 'go'} on."


def _will_cancel(reach: Reach, below: bool) -> str:
    told = f"{agents(reach.active).capitalize()} {'stops' if reach.active == 1 else 'stop'}: {_when(reach)}."
    asked = "One request to a person is" if reach.requests == 1 else f"{reach.requests} requests to people are"
    return told + (f" {asked} withdrawn." if reach.requests else "") + " What was written stays."


def _will_retry(reach: Reach, below: bool) -> str:
    if not below:
        return "It takes up its work and decides itself whom it asks again."
    return f"Up to {agents(reach.broken)} that failed or were stopped, if the agent above still waits for them."


def _will_prioritise(reach: Reach, below: bool) -> str:
    return f"{agents(reach.active).capitalize()}, and those that are started later."


def _will_tell(reach: Reach, below: bool) -> str:
    who = "each reads" if reach.active > 1 else "it reads"
    return f"{agents(reach.active).capitalize()}: {who} it at the next step."


def told(verb: str, outcomes: Sequence[Outcome]) -> str:
    """What an action came to: how many, when, and for whom it was not done and why."""
    done = [outcome for outcome in outcomes if outcome.is_done]
    left = [outcome for outcome in outcomes if not outcome.is_done]
    sentences = [_did(verb, done)] if done else []
    for why, names in _by_reason(left).items():
        sentences.append(f"Not {names}: {why}.")
    return " ".join(sentences) or "There was nothing to do."


def _did(verb: str, done: Sequence[Outcome]) -> str:
    one, many = _DOES[verb]
    later = sum(outcome.is_later for outcome in done)
    who = done[0].name if len(done) == 1 else f"{done[0].name} and {agents(len(done) - 1)} below"
    does = one if len(done) == 1 else many
    if verb not in {"pause", "cancel"} or not later:
        return f"{who} {does}."
    if later == len(done):
        return f"{who} {does} at {'its' if later == 1 else 'their'} next step."
    return f"{who} {does}, {later} of them at {'its' if later == 1 else 'their'} next step."


def _by_reason(left: Sequence[Outcome]) -> dict[str, str]:
    counted = Counter(outcome.why for outcome in left)
    named = {why: [outcome.name for outcome in left if outcome.why == why][:_NAMED] for why in counted}
    more = {why: count - len(named[why]) for why, count in counted.items()}
    return {why: ", ".join(names) + (f" and {more[why]} more" if more[why] else "") for why, names in named.items()}
