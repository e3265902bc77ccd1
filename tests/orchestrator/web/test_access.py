"""What is not yours looks like what is not there, and a role does no more than it may."""

import pytest

from agents.ids import new_id
from agents.models import AgentSession, Approval, AuditEntry
from memory.models import MissionPassage, MissionSource
from memory.words import SourceOrigin
from tests.factories import make_member, make_mission, make_project
from tests.orchestrator.web.conftest import signed_in
from tests.orchestrator.web.situations import ask


@pytest.fixture
def mission(project, approver):
    return make_mission(project, approver)


@pytest.fixture
def request_(mission):
    return ask(mission)


@pytest.fixture
def passage(mission, approver):
    source = MissionSource.objects.create(
        project=mission.project, user=approver, session=mission, name="a.md", media_type="text/markdown",
        origin=SourceOrigin.UPLOAD, sha256="a", size_bytes=5, text="words", words=1,
    )  # fmt: skip
    return MissionPassage.objects.create(
        project=mission.project, source=source, position=0, start=0, end=5, content="words"
    )


def addresses(mission, request_, passage) -> list[str]:
    return [
        f"/missions/{mission.pk}/",
        f"/missions/{mission.pk}/?r=agents&r=feed&r=agent-{mission.pk}",
        f"/agents/{mission.pk}/",
        f"/approvals/{request_.pk}/",
        f"/passages/{passage.pk}/",
        f"/sources/{passage.source_id}/",
    ]


def test_stranger_gets_404_not_403(stranger_page, mission, request_, passage):
    for address in addresses(mission, request_, passage):
        assert stranger_page.get(address).status_code == 404, address
    for verb in ("pause", "resume", "retry", "cancel"):
        assert stranger_page.post(f"/agents/{mission.pk}/{verb}/").status_code == 404
    assert stranger_page.post(f"/approvals/{request_.pk}/decide/", {"verdict": "approve"}).status_code == 404


def test_what_is_not_there_looks_the_same(page):
    for address in ("missions", "agents", "approvals", "passages", "sources"):
        assert page.get(f"/{address}/{new_id()}/").status_code == 404


def test_a_strangers_lists_hold_nothing_of_others(stranger_page, mission, request_):
    for address in ("/", "/missions/", "/approvals/", "/?status=queued", "/?status=human", "/memory/"):
        text = stranger_page.get(address).content.decode()
        assert str(mission.pk) not in text
        assert str(request_.pk) not in text


def test_a_region_of_a_foreign_request_is_not_told(stranger_page, request_):
    answer = stranger_page.get(f"/approvals/?r=request-{request_.pk}")
    assert answer.status_code == 200
    assert answer.content == b""


def test_a_member_sees_everything_of_the_project(viewer_page, mission, request_, passage):
    for address in addresses(mission, request_, passage):
        assert viewer_page.get(address, follow=True).status_code == 200, address


def test_a_viewer_decides_and_steers_nothing_and_is_told_why(viewer_page, mission, request_):
    assert (
        viewer_page.post(f"/approvals/{request_.pk}/decide/", {"verdict": "approve", "version": 1}).status_code == 403
    )
    assert viewer_page.post(f"/agents/{mission.pk}/cancel/").status_code == 403
    assert viewer_page.get("/missions/new/").status_code == 403
    assert Approval.objects.get().status == "pending"
    assert not AuditEntry.objects.exists()
    assert "approvers decide" in viewer_page.get(f"/approvals/{request_.pk}/").content.decode()
    assert "operators steer agents" in viewer_page.get(f"/missions/{mission.pk}/").content.decode()


def test_what_waits_counts_only_for_who_may_decide(viewer_page, page, request_):
    assert "(1) Now" in page.get("/").content.decode()
    text = viewer_page.get("/").content.decode()
    assert "(1) Now" not in text
    assert 'data-waits=""' in text


def test_an_agent_below_is_no_mission(page, mission):
    child = AgentSession.objects.create(
        project=mission.project, user=mission.user, agent_type="x", level="worker", name="below", parent=mission,
        root=mission, path=[mission.pk],
    )  # fmt: skip
    assert page.get(f"/missions/{child.pk}/").status_code == 404
    assert page.get(f"/agents/{child.pk}/").status_code == 200


def test_a_source_staged_by_another_member_is_not_shown(project, approver):
    other = signed_in(make_member(project))
    staged = MissionSource.objects.create(
        project=project, user=approver, draft_id=new_id(), name="a.md", media_type="text/markdown",
        origin=SourceOrigin.UPLOAD, sha256="a", size_bytes=5, text="words", words=1,
    )  # fmt: skip
    assert other.get(f"/sources/{staged.pk}/").status_code == 404
    assert signed_in(approver).get(f"/sources/{staged.pk}/").status_code == 200


def test_opening_something_goes_over_to_its_project(project, approver, mission):
    later = make_project()
    later.memberships.create(user=approver, role="admin")
    client = signed_in(approver)
    client.post("/project/", {"project": str(later.pk)})
    assert f"/live/{project.pk}/" in client.get(f"/missions/{mission.pk}/").content.decode()
