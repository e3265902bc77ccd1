"""What surrounds a page: what happens while it is made is shown on it, or told to it live."""

import pytest

from agents.actor import Actor
from agents.lifecycle import SessionStatus
from agents.models import AgentSession, Membership
from agents.roles import Role
from agents.services import sessions
from agents.services.conclusions import Decision
from agents.services.decisions import decide
from orchestrator.actions import rules
from orchestrator.realtime import feed
from tests.agents.desk import asked, put
from tests.factories import make_member, make_mission, make_project, running
from tests.orchestrator.web.test_rules_page import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def meanwhile(monkeypatch):
    """Does something at the moment from which on a page is told live of what happens."""

    def happen(act) -> None:
        real = feed.cursor

        def cursor(project_id):
            monkeypatch.setattr(feed, "cursor", real)
            act()
            return real(project_id)

        monkeypatch.setattr(feed, "cursor", cursor)

    return happen


@pytest.mark.parametrize("address", ["/missions/{}/", "/agents/{}/"])
def test_an_agent_that_moves_while_its_page_is_made_is_shown_as_it_is(project, page, meanwhile, address):
    session = running(make_mission(project))

    def pause() -> None:
        sessions.move(AgentSession.objects.get(pk=session.pk), SessionStatus.PAUSED, actor=Actor("system"))

    meanwhile(pause)
    shown = page.get(address.format(session.pk)).content.decode()
    head = shown.partition("<h1")[2].partition("</div>")[0]
    assert "Paused" in head
    assert "Running" not in head


def test_a_request_that_is_decided_while_its_page_is_made_is_shown_as_decided(project, page, meanwhile):
    approval = put(running(make_mission(project)), asked())[0]
    bob = make_member(project, name="bob")
    meanwhile(lambda: decide(approval.pk, Decision("reject", reason="No"), by=bob, version=1))
    assert "This request is closed" in page.get(f"/approvals/{approval.pk}/").content.decode()


def test_a_rule_that_is_revoked_while_its_page_is_made_is_shown_as_revoked(project, page, approver, meanwhile):
    rule = make(project, approver)
    meanwhile(lambda: rules.revoke(approver, rule.pk))
    head = page.get(f"/rules/{rule.pk}/").content.decode().partition("<h1")[2].partition("</div>")[0]
    assert "Revoked" in head


def test_what_belongs_to_another_project_of_theirs_is_shown_in_that_one(project, page, approver):
    other = make_project()
    Membership.objects.create(project=other, user=approver, role=Role.VIEWER)
    mission = make_mission(other)
    assert page.get("/missions/").context["chrome"].project == project
    assert page.get(f"/missions/{mission.pk}/").context["chrome"].project == other
    assert page.get("/missions/").context["chrome"].project == other


@pytest.mark.parametrize("address", ["/missions/{}/", "/agents/{}/"])
def test_to_who_is_in_no_project_any_more_nothing_is_there(project, page, approver, address):
    mission = make_mission(project)
    Membership.objects.all().delete()
    assert page.get(address.format(mission.pk)).status_code == 404
