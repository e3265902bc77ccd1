"""Requests that somebody is told of, and a receiver."""

import pytest
from django.db.models.functions import Now

from agents.events import stream
from agents.ids import new_id
from agents.models import Delivery, Mailbox
from agents.roles import Role
from agents.services import notices
from agents.services.webhooks import Wanted
from agents.words import OCCASIONS
from orchestrator.actions import webhooks as hook_actions
from orchestrator.conf import notice_settings
from orchestrator.env import environment
from orchestrator.notices.courier import Courier
from tests.factories import make_member, make_project
from tests.hook_server import HookServer
from tests.races import settle


@pytest.fixture
def private(monkeypatch):
    """Webhooks may go to this machine."""
    monkeypatch.setenv("QUEENRIGHT_PRIVATE_WEBHOOKS", "1")
    environment.cache_clear()
    notice_settings.cache_clear()
    yield
    monkeypatch.undo()
    environment.cache_clear()
    notice_settings.cache_clear()


@pytest.fixture
def receiver():
    """Somebody's server."""
    with HookServer() as server:
        yield server


@pytest.fixture
def project(transactional_db):
    """A project whose later events are followed."""
    made = make_project()
    stream.register(notices.CONSUMER, from_now=True)
    return made


@pytest.fixture
def admin(project):
    """An admin, who makes webhooks."""
    return make_member(project, Role.ADMIN)


@pytest.fixture
def courier():
    """One that carries."""
    with Courier() as made:
        yield made


def make_webhook(admin, project, receiver, **changes):
    """A webhook of a project with its secret; told of everything."""
    wanted = {"name": "Tickets", "url": f"{receiver.address}/hook", "occasions": OCCASIONS, **changes}
    return hook_actions.make(admin, project.pk, new_id(), Wanted(**wanted))


def follow() -> None:
    """Write the deliveries of all that has happened."""
    settle()
    while notices.follow():
        pass


def hurry() -> None:
    """Let the time of all that waits come, also of people's next mail."""
    Delivery.objects.update(next_at=Now())
    Mailbox.objects.update(next_at=Now())
