"""One mission of 85 agents under faults, from its start to what must hold at its end."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TypeVar
from uuid import UUID

from django.db import IntegrityError, InterfaceError, OperationalError, connection

from agents.ids import new_id
from agents.lifecycle import FINAL
from agents.models import AgentSession, Project, User
from agents.roles import Level
from tests.agent_types import Brief
from tests.factories import make_mission
from tests.faults import checks, people
from tests.faults.injectors import Injectors, NotNow
from tests.faults.recoveries import Hit, Recoveries, exposed_to, held_by
from tests.faults.schedule import Planned, Schedule

BELOW = (4, 4, 4)
AGENTS = 1 + 4 + 16 + 64
PATIENCE = 600  # seconds that a mission may take, on a machine that has much else to do
TICK = 0.1  # seconds between two looks
T = TypeVar("T")


def patiently(ask: Callable[[], T]) -> T:
    """What `ask` gives, once the database answers."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return ask()
        except (OperationalError, InterfaceError):
            connection.close()
            if time.monotonic() > end:
                raise
            time.sleep(TICK)


@dataclass
class Run:
    """Missions one after the other on one stack, and what came of them."""

    injectors: Injectors
    schedule: Schedule
    recoveries: Recoveries = field(default_factory=Recoveries)
    missions: int = 0
    doubts: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def progress(self) -> str:
        """In a line."""
        return f"{self.missions} missions, {len(self.recoveries.hits)} faults, {len(self.wrong)} wrong"

    def end(self) -> None:
        """Wait until the last faults are over."""
        end = time.monotonic() + PATIENCE
        while self.recoveries.open and time.monotonic() < end:
            self.injectors.tend()
            patiently(self.recoveries.look)
            time.sleep(TICK)

    def mission(self, faults: int) -> None:
        """Run a mission, with as many faults as happen before its end, but no more than `faults`."""
        self.missions += 1
        name = f"m{self.missions}"
        root = new_id()
        patiently(lambda: start(root, name, BELOW))
        if self._until_ended(root, faults):
            found = patiently(lambda: checks.faults_of(root, workers(name, BELOW), AGENTS))
        else:
            found = patiently(lambda: [f"did not end: {checks.unfinished(root)}"])
        self.wrong += [f"{name}: {sentence}" for sentence in found]

    def _until_ended(self, root: UUID, faults: int) -> bool:
        end = time.monotonic() + PATIENCE
        planned, due = self._next(time.monotonic()) if faults else (None, end)
        while time.monotonic() < end:
            self.injectors.tend()
            if planned and time.monotonic() >= due and self._inject(planned):
                faults -= 1
                planned, due = self._next(time.monotonic()) if faults else (None, end)
            if self._look(root) and self.injectors.is_calm:
                return True
            time.sleep(TICK)
        return False

    def _next(self, now: float) -> tuple[Planned, float]:
        planned = self.schedule.draw()
        return planned, now + planned.pause

    def _look(self, root: UUID) -> bool:
        """Answer, measure; has the mission ended? False as well while the database is away."""
        try:
            self.recoveries.look()
            self.doubts += people.answer(root, is_calm=self.injectors.is_calm)
            return AgentSession.objects.get(pk=root).status in FINAL
        except (OperationalError, InterfaceError):
            connection.close()
            return False

    def _inject(self, planned: Planned) -> bool:
        """Do it if it can be done now; whom it hits is written down."""
        try:
            sessions = exposed_to(planned.fault)
            began = time.monotonic()
            killed = self.injectors.inject(planned.fault)
        except (OperationalError, InterfaceError, NotNow):
            connection.close()
            return False
        hit = Hit(planned.fault, began, sessions, lambda: self.injectors.is_back(planned.fault, killed))
        self.recoveries.hits.append(hit)
        if killed is not None:
            hit.sessions |= patiently(lambda: held_by(killed))
        return True


def start(mission_id: UUID, name: str, below: Sequence[int]) -> None:
    """Start a mission, once.

    `below` says how many agents each agent has below it, level by level down to the workers: with three numbers it
    begins with a queen, with one with a specialist.
    """
    level = list(Level)[-1 - len(below)]
    start_once(mission_id, f"faults.{level}", level, Brief(name=name, below=tuple(below)))


def start_once(mission_id: UUID, agent_type: str, level: Level, brief: Brief, model: str = "") -> None:
    """Start a mission; whoever starts it again, because no answer came, starts it once."""
    try:
        make_mission(
            Project.objects.get(),
            User.objects.get(),
            agent_type=agent_type,
            level=level,
            run_input=brief.model_dump(mode="json"),
            session_id=mission_id,
            metadata={"model": model},
        )
    except IntegrityError:
        if not AgentSession.objects.filter(pk=mission_id).exists():
            raise


def workers(name: str, below: Sequence[int]) -> list[str]:
    """The names of a mission's workers, each of whom is to change the world once."""
    return [".".join([name, *map(str, place)]) for place in product(*map(range, below))]
