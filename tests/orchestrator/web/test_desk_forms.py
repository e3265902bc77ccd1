"""Requests are answered in other ways, too: as JSON, with another tool, as somebody else did, by somebody else."""

import html
import json
import re

import pytest

from agents.interrupts import Form
from agents.lifecycle import ApprovalStatus, Risk, SessionStatus, WaitKind
from agents.models import AgentEvent, AgentSession, Approval, Vote
from agents.policies.policy import Terms
from agents.roles import Role
from tests.agents.desk import PROPOSED, asked, put
from tests.factories import make_member, make_mission, make_user, running
from tests.orchestrator.web.conftest import signed_in
from tests.orchestrator.web.situations import REPORT, ask

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_(project) -> Approval:
    return ask(make_mission(project))


def foreign(project, **changes) -> Approval:
    """A request of an imported graph."""
    usual = {"kind": WaitKind.FOREIGN, "form": Form.BATCH, "may_change_tool": True, "tool_name": "mail"}
    return put(running(make_mission(project)), asked(**usual | changes), kind=WaitKind.FOREIGN)[0]


def text(response) -> str:
    return response.content.decode()


def form_of(page, approval: Approval) -> dict[str, str]:
    """What the page's form would send if a person typed nothing."""
    body = text(page.get(f"/approvals/{approval.pk}/"))
    sent = {"version": str(approval.version), "verdict": "approve"}
    for name, area in re.findall(r'<textarea[^>]*? name="([^"]+)" form="decision"[^>]*>\n([^<]*)</textarea>', body):
        sent[name] = html.unescape(area)
    for tag in re.findall(r'<input [^>]*form="decision"[^>]*>', body):
        name, value = re.search(r' name="([^"]+)"', tag), re.search(r' value="([^"]*)"', tag)
        if name and value and 'type="checkbox"' not in tag:
            sent[name[1]] = html.unescape(value[1])
    return sent


def send(page, approval: Approval, **changes: str):
    return page.post(f"/approvals/{approval.pk}/decide/", form_of(page, approval) | changes)


def test_the_form_as_it_stands_proposes_nothing_else(page, request_):
    assert json.loads(form_of(page, request_)["json"]) == request_.proposed
    assert send(page, request_).status_code == 302
    request_.refresh_from_db()
    assert (request_.status, request_.edited) == (ApprovalStatus.APPROVED, None)


def test_arguments_are_edited_as_json_and_keep_their_types(page, project):
    approval = foreign(project, proposed={"cents": 5, "to": ["ada"], "note": None, "at": 0.5})
    wanted = {"cents": 6, "to": ["ada", "bob"], "note": None, "at": 1e-7}
    assert send(page, approval, json=json.dumps(wanted, indent=1).replace("\n", "\r\n")).status_code == 302
    approval.refresh_from_db()
    assert approval.effective == approval.edited == wanted
    assert isinstance(approval.effective["cents"], int)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ('{"file_name": "a.md"', "This is no JSON"),
        ("[1, 2]", "The arguments are an object"),
        ('"text"', "The arguments are an object"),
        ('{"file_name": NaN}', "it knows no NaN"),
        ('{"file_name": 1e999}', "too large a number"),
        ("[" * 100_000, "nested too deeply"),
        ('{"file_name": "../x.md", "title": "A", "content": "B"}', "file_name:"),
        ('{"file_name": 7, "title": "A", "content": "B"}', "file_name:"),
        ('{"title": "A", "content": "B"}', "file_name:"),
        ('{"file_name": "a\\u0000.md", "title": "A", "content": "B"}', "file_name:"),
    ],
)
def test_json_that_does_not_fit_is_said_beside_it_and_stays_typed(page, request_, typed, words):
    answer = send(page, request_, json=typed)
    assert answer.status_code == 422
    error = re.search(r'id="json-error">(.*?)</p>', text(answer), re.DOTALL)
    assert error and words in html.unescape(error[1])
    assert html.escape(typed)[:80] in text(answer)
    assert 'aria-describedby="json-error"' in text(answer)
    request_.refresh_from_db()
    assert request_.status == ApprovalStatus.PENDING


def test_json_that_was_broken_does_not_keep_anybody_from_rejecting(page, request_):
    assert send(page, request_, json="{", verdict="reject", reason="No.").status_code == 302
    request_.refresh_from_db()
    assert request_.status == ApprovalStatus.REJECTED


def test_a_field_and_the_json_cannot_both_be_changed(page, request_):
    changed = json.dumps(REPORT | {"title": "Another"})
    answer = send(page, request_, json=changed, **{"arg-title": "A third"})
    assert answer.status_code == 422
    assert "Restore either them or this." in text(answer)
    assert "A third" in text(answer)
    assert "Another" in text(answer)


def test_a_request_that_changed_meanwhile_says_so_whatever_was_typed(page, request_):
    sent = form_of(page, request_) | {"json": "{"}
    Approval.objects.filter(pk=request_.pk).update(version=2)
    answer = page.post(f"/approvals/{request_.pk}/decide/", sent)
    assert answer.status_code == 409
    assert "has changed since you opened it" in text(answer)


def test_another_tool_is_called_in_place_of_the_one_that_was_asked_for(page, project):
    approval = foreign(project, form=Form.INBOX, proposed={"to": "ada"})
    assert send(page, approval, tool="call", json='{"who": "ada"}').status_code == 302
    approval.refresh_from_db()
    assert (approval.effective_tool, approval.effective) == ("call", {"who": "ada"})


def test_a_tool_that_the_agent_does_not_have_is_refused_and_stays_typed(page, project):
    approval = foreign(project, proposed={"to": "ada"})
    answer = send(page, approval, tool="format_disk")
    assert answer.status_code == 422
    assert "format_disk" in text(answer)
    assert 'value="format_disk"' in text(answer)
    approval.refresh_from_db()
    assert approval.status == ApprovalStatus.PENDING


def test_who_may_not_change_arguments_is_not_offered_to(page, project):
    approval = foreign(project, allowed=("approve", "reject"))
    assert 'name="json"' not in text(page.get(f"/approvals/{approval.pk}/"))
    assert send(page, approval, json='{"to": "eve"}').status_code == 302  # what was not offered is not read
    approval.refresh_from_db()
    assert approval.effective == PROPOSED


# --- agreeing


def test_the_second_person_agrees_with_what_the_first_one_changed(page, project, approver):
    approval = put(running(make_mission(project)), asked(tool_name="pay", terms=Terms(people=2)))[0]
    bob = signed_in(make_member(project, Role.APPROVER, "bob"))
    edited = PROPOSED | {"file_name": "b.md"}
    assert send(page, approval, json=json.dumps(edited)).status_code == 302
    shown = text(bob.get(f"/approvals/{approval.pk}/"))
    dialog = shown.partition(f'id="vote-{Vote.objects.get().pk}"')[2]
    assert "b.md" in dialog.partition("</table>")[0]
    sent = dict(re.findall(r'name="(version|key|json|tool)" value="([^"]*)"', dialog.partition("</form>")[0]))
    sent = {name: html.unescape(value) for name, value in sent.items()} | {"verdict": "approve"}
    assert bob.post(f"/approvals/{approval.pk}/decide/", sent).status_code == 302
    approval.refresh_from_db()
    assert (approval.status, approval.effective) == (ApprovalStatus.APPROVED, edited)


# --- for whom


def test_a_request_is_given_to_one_person_and_back_to_all(page, project, request_):
    bob = make_member(project, Role.APPROVER, "bob")
    make_member(project, Role.OPERATOR, "olga")
    shown = text(page.get(f"/approvals/{request_.pk}/"))
    assert f'<option value="{bob.pk}">bob, approver' in shown
    assert "olga" not in shown
    given = page.post(f"/approvals/{request_.pk}/assign/", {"to": str(bob.pk)}, follow=True)
    assert "It is for bob now" in text(given)
    assert "This is for bob." in text(given)
    assert send(page, request_).status_code == 403
    assert send(signed_in(bob), request_, **{"arg-title": "By bob"}).status_code == 302
    request_.refresh_from_db()
    assert request_.decided_by == bob


@pytest.mark.parametrize("to", ["", "nonsense", "viewer", "6f1c2be0-0000-4000-8000-000000000000"])
def test_who_cannot_decide_is_not_given_anything(page, project, request_, to):
    answer = page.post(f"/approvals/{request_.pk}/assign/", {"to": to}, follow=True)
    assert answer.status_code in (200, 404)
    request_.refresh_from_db()
    assert (request_.assigned_to, request_.assigned_role) == (None, Role.APPROVER)


def test_strangers_and_viewers_give_nothing_to_anybody(project, viewer_page, stranger_page, request_):
    assert viewer_page.post(f"/approvals/{request_.pk}/assign/", {"to": "admin"}).status_code == 403
    assert stranger_page.post(f"/approvals/{request_.pk}/assign/", {"to": "admin"}).status_code == 404
    assert page_of(make_user()).post(f"/approvals/{request_.pk}/assign/", {"to": "admin"}).status_code == 404
    assert not AgentEvent.objects.filter(event_type="approval.assigned").exists()


def page_of(user):
    return signed_in(user)


# --- on the pages of agents and missions


@pytest.mark.parametrize(("address", "back"), [("/agents/{0}/", "session"), ("/missions/{0}/", "mission")])
def test_a_request_is_decided_on_the_page_of_its_agent_or_mission(page, request_, address, back):
    place = address.format(request_.session_id)
    card = text(page.get(place)).partition('<article class="ask"')[2].partition("</article>")[0]
    assert "Publish a report" in card
    assert REPORT["file_name"] in card
    sent = dict(re.findall(r'name="(version|key|back)" value="([^"]*)"', card))
    assert sent["back"] == back
    answer = page.post(f"/approvals/{request_.pk}/decide/", sent | {"verdict": "approve"})
    assert answer.status_code == 302
    assert answer["Location"].startswith(place)
    assert AgentSession.objects.get().status == SessionStatus.QUEUED
    assert '<article class="ask"' not in text(page.get(place))


def test_a_card_says_why_it_cannot_be_decided_and_high_risk_is_read_first(page, project, viewer_page):
    approval = ask(make_mission(project), risk=Risk.HIGH)
    card = text(page.get(f"/agents/{approval.session_id}/")).partition('<article class="ask"')[2]
    assert 'value="approve"' not in card.partition("</article>")[0]
    assert "Open the request" in card
    looked_at = text(viewer_page.get(f"/agents/{approval.session_id}/")).partition('<article class="ask"')[2]
    assert "yours is viewer" in looked_at
    assert 'value="reject"' not in looked_at.partition("</article>")[0]


def test_a_card_that_is_pressed_too_late_shows_the_conflict(page, project, request_):
    card = text(page.get(f"/agents/{request_.session_id}/")).partition('<article class="ask"')[2]
    sent = dict(re.findall(r'name="(version|key|back)" value="([^"]*)"', card.partition("</article>")[0]))
    send(signed_in(make_member(project, Role.APPROVER, "bob")), request_, verdict="reject", reason="No.")
    answer = page.post(f"/approvals/{request_.pk}/decide/", sent | {"verdict": "approve"})
    assert answer.status_code == 409
    assert "by bob" in text(answer)
