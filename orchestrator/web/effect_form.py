"""The side effects behind a state, each with the choices that a person has, and what they chose."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from agents.lifecycle import Choice, Reversal, RewindKind
from orchestrator.runtime.effects import SideEffect
from orchestrator.web.words import spelled

PREFIX = "effect-"  # of a field's name, before the id of a call
MANY = 4  # calls from which on all can be chosen for at once


@dataclass(frozen=True, slots=True)
class Option:
    """One choice. `why` says why this person cannot make it; empty when they can."""

    choice: Choice
    words: str
    why: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class EffectField:
    """One call with its options."""

    effect: SideEffect
    options: tuple[Option, ...]
    error: str = ""

    @property
    def name(self) -> str:
        """The field's name."""
        return f"{PREFIX}{self.effect.call.pk}"

    @property
    def can(self) -> "Can":
        """What can be done about it."""
        return _CAN[self.effect.reversal]


@dataclass(frozen=True, slots=True)
class Can:
    """What can be done about a call: words, colour and icon."""

    words: str
    tone: str
    icon: str


_CAN = {
    Reversal.UNDOABLE: Can("can be undone", "done", "undo"),
    Reversal.REPEATABLE: Can("can be repeated without harm", "done", "retrying"),
    Reversal.NEITHER: Can("cannot be undone", "failed", "alert"),
}


def fields(
    effects: Sequence[SideEffect],
    kind: RewindKind,
    *,
    chosen: Mapping[UUID, Choice] | None = None,
    errors: Mapping[str, str] | None = None,
    may_decide: bool = True,
) -> list[EffectField]:
    """The calls with their options: what a person has `chosen`, and what stands to reason where they need not."""
    return [
        EffectField(
            effect,
            _options(effect, kind, (chosen or {}).get(effect.call.pk), may_decide=may_decide),
            (errors or {}).get(str(effect.call.pk), ""),
        )
        for effect in effects
    ]


def chosen_in(form: Mapping[str, str]) -> dict[UUID, Choice]:
    """What a form says, call by call; what is no choice of a call is left out."""
    found = {}
    for name, text in form.items():
        if not name.startswith(PREFIX):
            continue
        try:
            found[UUID(name.removeprefix(PREFIX))] = Choice(text)
        except ValueError:
            continue
    return found


def all_as(choice: str, effects: Sequence[SideEffect], kind: RewindKind) -> dict[UUID, Choice]:
    """The same choice for each call that allows it."""
    return {effect.call.pk: one for effect in effects for one in effect.choices(kind) if one == choice}


def for_all(effects: Sequence[SideEffect], kind: RewindKind) -> list[Choice]:
    """The choices that can be made for all at once; none where the calls are few."""
    allowed = {choice for effect in effects for choice in effect.choices(kind)}
    return [choice for choice in Choice if choice in allowed] if len(effects) >= MANY and len(allowed) > 1 else []


def needs_word(effect: SideEffect, kind: RewindKind) -> bool:
    """Must a person choose themselves? Where the default may be wrong and cannot be taken back."""
    is_plain = effect.is_certain and effect.answers and effect.reversal is not Reversal.NEITHER
    return len(effect.choices(kind)) > 1 and not is_plain


def _options(effect: SideEffect, kind: RewindKind, chosen: Choice | None, *, may_decide: bool) -> tuple[Option, ...]:
    allowed = effect.choices(kind)
    default = None if needs_word(effect, kind) else allowed[0]
    return tuple(
        Option(
            choice,
            _words(effect, kind, choice),
            "only approvers may undo it." if choice is Choice.UNDO and effect.undo_asks and not may_decide else "",
            choice is (chosen or default),
        )
        for choice in allowed
    )


def _words(effect: SideEffect, kind: RewindKind, choice: Choice) -> str:
    if choice is Choice.UNDO:
        return "It is taken back first, before anything else changes."
    if choice is Choice.REPEAT:
        harm = "" if effect.reversal is Reversal.REPEATABLE else " It then has happened twice."
        return f"The call is made again, and asks first if its policy asks.{harm}"
    if kind is RewindKind.ROLLBACK:
        return _KEPT_AT_REST if effect.is_certain else _KEPT_IN_DOUBT
    if not effect.is_certain:
        return _KEPT_IN_DOUBT
    return _KEPT if effect.answers else _KEPT_WITHOUT_ANSWER


_KEPT = "It stands. Its result answers the same call, which is not made again."
_KEPT_AT_REST = "It stands. Should the agent go on from there, its result answers the same call."
_KEPT_IN_DOUBT = "It stands as it is. The agent asks you whether it happened when it comes to it."
_KEPT_WITHOUT_ANSWER = "It stands. An earlier rewind left its result behind, so the agent may make the call again."


def summed(effects: Sequence[SideEffect]) -> str:
    """How many calls there are, and what can be done about them, in words."""
    if not effects:
        return "made no call that changed the world"
    counts = Counter(effect.reversal for effect in effects)
    parts = [f"{spelled(counts[one])} {_CAN[one].words}" for one in Reversal if counts[one]]
    return (
        f"made {spelled(len(effects))} call{'s' if len(effects) > 1 else ''} that changed the world: {', '.join(parts)}"
    )
