"""What reuse and batches saved is on the mission's page, on System, and with the agent that did several tasks."""

import pytest

from agents.graphs.ports import Usage
from agents.ids import new_id
from agents.models import AgentSession
from agents.services import messages
from tests.factories import make_member, make_mission, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def mission(client):
    user = make_member(make_project())
    client.force_login(user)
    return make_mission(user.memberships.get().project, user)


def charge(mission: AgentSession, **usage) -> None:
    messages.charge(mission, new_id(), Usage("openai:x", "extract", 1000, 10, "0.001", 1, 12, **usage))


def test_a_mission_without_batches_says_nothing_of_them(client, mission):
    charge(mission)
    assert "Batched" not in client.get(f"/missions/{mission.pk}/").content.decode()


def test_what_was_batched_is_shown_with_what_it_saved(client, mission):
    charge(mission, tasks=3, saved_tokens=1234, saved_cost="0.25")
    AgentSession.objects.filter(pk=mission.pk).update(
        batch=[{"name": "Of <b>mites</b>", "positions": [0, 2]}, {"name": "Of honey", "positions": [1]}]
    )
    page = client.get(f"/missions/{mission.pk}/").content.decode()
    assert "3 tasks <small>by 1 agent; 2 model calls, about 1 234 tokens and $0.25 saved" in page
    agent = client.get(f"/agents/{mission.pk}/").content.decode()
    assert "It does 3 tasks at once: Of &lt;b&gt;mites&lt;/b&gt; (2 times the same); Of honey." in agent
    system = client.get("/system/").content.decode()
    assert "3 similar tasks were done by 1 agent, which saved 2 model calls, about 1 234 tokens and $0.25." in system
