"""Starting missions."""

import re
from dataclasses import replace
from uuid import UUID

from django.db import transaction

from agents import access
from agents.actor import person
from agents.errors import InvalidInput
from agents.events import causes
from agents.graphs.inputs import MissionInput
from agents.graphs.ports import Limits
from agents.ids import derived_id
from agents.models import AgentSession, User
from agents.roles import Level, Role
from agents.services import audit, budgets, sessions
from agents.services.sessions import Start
from memory.models import MissionSource
from memory.services import sources
from orchestrator.actions import agents
from orchestrator.runtime.brains import EXTRACTIVE, settings_for

MOST_CHARACTERS = 4000
MOST_TITLE = 80
LEAST_TITLE = 20


@causes.act()
def start(
    user: User,
    project_id: UUID,
    *,
    draft_id: UUID,
    objective: str,
    model: str = EXTRACTIVE,
    limits: Limits | None = None,
    minutes: float | None = None,
) -> AgentSession:
    """Start a research mission on the sources that were staged under `draft_id`.

    A draft becomes one mission: starting it twice gives the same one. `model` is provider:name, empty for none. It
    may spend `limits` and is stopped after so many `minutes`.
    Raises NotFound or Forbidden, InvalidInput with a message for each bad field; what was staged is kept.
    """
    project = access.project_for(user, project_id, role=Role.OPERATOR)
    mission_id = derived_id(draft_id, "mission")
    told = objective.strip()
    faults = _faults(told, model)
    with transaction.atomic():
        sources.lock_draft(draft_id)  # of two clicks the second finds the mission of the first
        started = AgentSession.objects.filter(pk=mission_id, project=project, user=user).first()
        if started is not None:
            return started
        if not MissionSource.objects.staged(draft_id, user).exists():
            faults["sources"] = "Add at least one source: the agents read nothing else."
        if faults:
            raise InvalidInput("The mission cannot start like this.", fields=faults)
        mission = sessions.start_mission(
            project,
            replace(_start(told), seconds=minutes * 60 if minutes else None),
            user=user,
            actor=person(user.pk),
            metadata={"model": model},
            session_id=mission_id,
        )
        if limits is not None and limits.given():
            budgets.set_limits(mission, limits, actor=person(user.pk))
        sources.adopt(draft_id, mission, user=user)
        audit.record(user.pk, "mission.start", project_id=project.pk, target=("session", mission.pk))
    return mission


def set_limits(user: User, mission_id: UUID, limits: Limits, *, minutes: float | None) -> None:
    """Give a mission another budget, and a deadline so many minutes from now; None leaves it, 0 takes it away.

    Raises NotFound or Forbidden, InvalidInput with a message for each bad field.
    """
    mission = access.mission_for(user, mission_id, role=Role.OPERATOR)
    with transaction.atomic():
        locked = sessions.lock(mission.pk)
        budgets.set_limits(locked, limits, actor=person(user.pk))
        budgets.relieve(locked, f"{user.get_username()} has set other limits.")
        told = {name: str(value) for name, value in limits.given().items()}
        audit.record(
            user.pk, "mission.limits", project_id=mission.project_id, target=("session", mission.pk), detail=told
        )
    if minutes is not None:
        agents.set_deadline(user, mission.pk, minutes=minutes or None)


def _start(objective: str) -> Start:
    title = title_of(objective)
    return Start(
        agent_type="research.queen",
        level=Level.QUEEN,
        name=title,
        goal=objective,
        input=MissionInput(objective=objective, title=title).model_dump(mode="json"),
    )


def _faults(objective: str, model: str) -> dict[str, str]:
    faults = {}
    if not objective:
        faults["objective"] = "Say what you want to find out: a sentence or two."
    elif len(objective) > MOST_CHARACTERS:
        faults["objective"] = f"That is {len(objective):,} characters; {MOST_CHARACTERS:,} are the most."
    elif "\0" in objective:
        faults["objective"] = "There is a character in it that cannot be stored."
    told = check_model(model)
    if told:
        faults["model"] = told
    return faults


def check_model(model: str) -> str | None:
    """What is wrong with a model's name, in words; None when nothing is, or its server cannot be asked."""
    if model == EXTRACTIVE:
        return None
    from agents.graphs.brains import chat

    known = settings_for(model)
    return chat.check_name(model, base_url=known.base_url, api_key=known.api_key)


def title_of(objective: str) -> str:
    """A mission's title: the first sentence of its objective, or the first clause or words of a long one."""
    sentence = re.split(r"(?<=[.?!])\s|\n", objective.strip(), maxsplit=1)[0].rstrip(" .")
    if len(sentence) <= MOST_TITLE:
        return sentence
    start = sentence[:MOST_TITLE]
    clause = re.match(rf".{{{LEAST_TITLE},}}(?=[,;:]\s|\s[-\u2013\u2014]\s)", start)
    return clause.group() if clause else f"{start.rpartition(' ')[0] or start}…"
