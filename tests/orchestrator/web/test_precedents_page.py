"""What stands beside a request: decided ones like it, and the rule that they suggest."""

import re
from typing import Any

import pytest

from agents.errors import Forbidden, NotFound
from agents.lifecycle import ExecutionStatus
from agents.models import Approval, ApprovalRule, AuditEntry
from agents.roles import Role
from memory import embedders
from memory.models import Dismissal, Precedent
from memory.services import precedents as services
from orchestrator import tasks
from orchestrator.actions import precedents
from orchestrator.web.edit_words import Edit, edits
from tests.factories import make_member, make_mission, make_project, make_user
from tests.orchestrator.web.policy_forms import fields
from tests.orchestrator.web.situations import REPORT, ask

pytestmark = pytest.mark.django_db

LOOKING = "Similar requests are still being looked for."
NOTHING = "Nothing like this has been decided in this project yet."
HOSTILE = "<script>alert(1)</script>"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def request_(project, approver):
    def make(**proposed: Any) -> Approval:
        return ask(make_mission(project, approver), proposed={**REPORT, **proposed})

    return make


def decide(page, approval, verdict="approve", **changes: str) -> Approval:
    form = {"verdict": verdict, "version": approval.version, "reason": "Too early." if verdict == "reject" else ""}
    given = {f"arg-{name}": changes.get(name, value) for name, value in approval.proposed.items()}
    assert page.post(f"/approvals/{approval.pk}/decide/", {**form, **given}).status_code == 302
    approval.refresh_from_db()
    return approval


def shown(page, approval) -> str:
    answer = page.get(f"/approvals/{approval.pk}/")
    assert answer.status_code == 200
    return answer.content.decode()


def part(page, approval, region: str) -> str:
    return page.get(f"/approvals/{approval.pk}/?r={region}").content.decode()


def test_each_says_its_outcome_who_when_why_what_was_edited_and_how_it_went(page, approver, request_):
    edited = decide(page, request_(file_name="one.md"), file_name="other.md")
    rejected = decide(page, request_(file_name="two.md"), "reject")
    edited.execution.status = ExecutionStatus.FAILED
    edited.execution.save(update_fields=["status"])
    last = request_(file_name="three.md")
    tasks.gather_precedents()
    text = part(page, last, "similar")
    assert text.count("<li>") == 3  # two requests and an edit
    first, second = (text.index(f"/approvals/{one.pk}/") for one in (edited, rejected))
    assert "Approved with 1 edit" in text and "Rejected" in text
    assert re.search(r'data-s="failed">.*?Failed</span>', text)
    assert re.search(r"<b>file_name</b> <del>one\.md</del>.*<ins>other\.md</ins>", text)
    assert "“Too early.”" in text
    assert text.count(f"By {approver.get_username()}") == 2
    assert re.search(r"[01]\.\d\d alike", text)
    assert first and second


def test_the_page_embeds_nothing_says_so_and_looks_by_itself(page, request_, monkeypatch):
    old, last = decide(page, request_(file_name="a.md")), request_(file_name="b.md")
    services.look_at(old.pk)
    services.gather()
    Precedent.objects.filter(pk=last.pk).delete()
    with monkeypatch.context() as patch:
        patch.setattr(embedders, "active", None)
        text = shown(page, last)
    assert LOOKING in text and f'hx-get="/approvals/{last.pk}/precedents/"' in text
    answer = page.get(f"/approvals/{last.pk}/precedents/", headers=HTMX)
    assert f"/approvals/{old.pk}/" in answer.content.decode()
    assert answer.content.decode().lstrip().startswith('<div id="similar"')
    with monkeypatch.context() as patch:
        patch.setattr(embedders, "active", None)
        assert f"/approvals/{old.pk}/" in shown(page, last)
        again = page.get(f"/approvals/{last.pk}/precedents/", headers=HTMX)
    assert again.status_code == 200


def test_while_a_worker_has_it_the_page_waits_and_does_not_embed_it_too(page, request_, monkeypatch):
    last = request_()
    services._claimed(services._ONE, approval=last.pk, most=1)
    monkeypatch.setattr(embedders, "active", None)
    assert LOOKING in page.get(f"/approvals/{last.pk}/precedents/", headers=HTMX).content.decode()


def test_without_script_one_looks_again_by_a_link(page, request_):
    last = request_()
    answer = page.get(f"/approvals/{last.pk}/precedents/")
    assert answer["Location"] == f"/approvals/{last.pk}/"
    assert NOTHING in shown(page, last)


def test_a_refused_edit_still_has_them_beside_it(page, request_):
    decide(page, request_(file_name="a.md"))
    last = request_(file_name="b.md")
    services.gather()
    answer = page.post(
        f"/approvals/{last.pk}/decide/", {"verdict": "approve", "version": 1, "arg-file_name": "../evil"}
    )
    assert answer.status_code == 422
    assert "alike</span>" in answer.content.decode()


def test_what_agents_and_people_wrote_is_text(page, request_):
    decide(page, request_(file_name="a.md", title=HOSTILE), title=f"{HOSTILE}!")
    last = request_(file_name="b.md", title=HOSTILE)
    services.gather()
    text = shown(page, last)
    assert HOSTILE not in text and "&lt;script&gt;" in text


def test_a_viewer_sees_them_and_a_stranger_does_not(page, viewer_page, stranger_page, request_):
    old, last = decide(page, request_(file_name="a.md")), request_(file_name="b.md")
    services.gather()
    assert f"/approvals/{old.pk}/" in part(viewer_page, last, "similar")
    for path in ("", "precedents/"):
        assert stranger_page.get(f"/approvals/{last.pk}/{path}").status_code == 404
    assert stranger_page.post(f"/approvals/{last.pk}/suggestion/dismiss/").status_code == 404


def test_another_projects_are_never_beside_it_also_not_to_who_is_in_both(page, approver, request_):
    from agents.models import Membership

    other = make_project()
    Membership.objects.create(project=other, user=approver, role=Role.APPROVER)
    theirs = decide(page, ask(make_mission(other, approver)))
    last = request_()
    services.gather()
    assert NOTHING in part(page, last, "similar")
    assert precedents.precedents_of(approver, last.pk) == []
    assert [one.approval.pk for one in precedents.precedents_of(approver, theirs.pk)] == []


def test_the_service_for_others_asks_who_it_is(approver, page, request_):
    old, last = decide(page, request_(file_name="a.md")), request_(file_name="b.md")
    assert precedents.precedents_of(approver, last.pk) is None
    services.gather()
    (found,) = precedents.precedents_of(approver, last.pk)
    assert found.approval.pk == old.pk
    assert 0.45 <= found.likeness <= 1.0001
    with pytest.raises(NotFound):
        precedents.precedents_of(make_user(), last.pk)


def suggesting(page, request_, times: int = 5, verdict: str = "approve") -> Approval:
    for number in range(times):
        decide(page, request_(title=f"Number {number}"), verdict)
    return request_(title="The last")


def test_the_card_says_that_people_keep_deciding_alike_and_leads_to_the_rule(page, approver, request_):
    last = suggesting(page, request_, 7)
    text = " ".join(part(page, last, "suggestion").split())
    assert (
        "The last seven requests for <code>publish_report</code> were approved by one person, none edited. In all of "
        "them <code>file_name</code> was “report.md”, <code>content</code> was “What was found. In two lines.”." in text
    )
    link = re.search(r'href="(/rules/new/[^"]*)"', text)[1].replace("&amp;", "&")
    assert not ApprovalRule.objects.exists()
    opened = page.get(link)
    sent = fields(opened, "rule")
    assert sorted(sent["picked"]) == ["content", "file_name"]
    assert (sent["tool"], sent["verdict"], sent["name"]) == (["publish_report"], ["approve"], ["Always publish_report"])
    assert page.post("/rules/new/", {**sent, "do": "make"}).status_code == 302
    made = ApprovalRule.objects.get()
    assert {one["at"] for one in made.conditions["arguments"]} == {"content", "file_name"}
    assert made.made_from_id == last.pk
    assert "The last" not in part(page, last, "suggestion")  # it is there now


def test_a_rule_that_rejects_takes_the_latest_reason(page, request_):
    last = suggesting(page, request_, verdict="reject")
    assert "were rejected by" in part(page, last, "suggestion")
    sent = fields(page.get(f"/rules/new/?from={last.pk}&suggested=1"), "rule")
    assert (sent["verdict"], sent["reason"], sent["name"]) == (["reject"], ["Too early."], ["Never publish_report"])


def test_a_suggestion_that_is_gone_leaves_the_plain_form(page, request_):
    last = suggesting(page, request_)
    decide(page, request_(title="Not so"), "reject")
    sent = fields(page.get(f"/rules/new/?from={last.pk}&suggested=1"), "rule")
    assert "picked" not in sent and sent["verdict"] == ["approve"]


def test_not_now_takes_it_away_and_touches_nothing_else(page, approver, request_):
    last = suggesting(page, request_)
    answer = page.post(f"/approvals/{last.pk}/suggestion/dismiss/", headers=HTMX)
    assert answer.content.decode().strip() == (
        '<div id="suggestion" data-live="approval.decided approval.undone"></div>'
    )
    assert AuditEntry.objects.get(action="suggestion.dismiss").user == approver
    again = page.post(f"/approvals/{last.pk}/suggestion/dismiss/")
    assert again["Location"] == f"/approvals/{last.pk}/"
    assert AuditEntry.objects.filter(action="suggestion.dismiss").count() == 1


def test_who_only_looks_gets_no_suggestion_and_can_dismiss_none(page, viewer_page, project, request_):
    last = suggesting(page, request_)
    assert "The last" not in part(viewer_page, last, "suggestion")
    assert viewer_page.post(f"/approvals/{last.pk}/suggestion/dismiss/").status_code == 403
    with pytest.raises(Forbidden):
        precedents.dismiss(make_member(project, Role.OPERATOR), last.pk)
    assert not Dismissal.objects.exists()


SECRET = {"properties": {"word": {"type": "string", "format": "password"}}}


@pytest.mark.parametrize(
    ("proposed", "edited", "found"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}, []),
        ({"a": 1}, {"a": 2}, [Edit("a", "1", "2")]),
        ({"a": 1}, {"b": None}, [Edit("a", "1", ""), Edit("b", "", "null")]),
        ({"a": [1, 2]}, {"a": [1]}, [Edit("a", "[1, 2]", "[1]")]),
        ({"a": "x" * 99 + "left"}, {"a": "x" * 99 + "right"}, [Edit("a", f"…{'x' * 12}left", f"…{'x' * 12}right")]),
        ({"a": "x" * 999}, {"a": ""}, [Edit("a", "x" * 60 + "…", "")]),
        ({"a": "x" * 99}, {"a": "x" * 98}, [Edit("a", "…" + "x" * 13, "…" + "x" * 12)]),
        ({"word": "hunter2"}, {"word": "hunter3"}, [Edit("word", "hidden", "hidden")]),
        ({"a": 1}, None, []),
    ],
)
def test_edits_are_told_from_where_they_begin(proposed, edited, found):
    assert edits(Approval(proposed=proposed, edited=edited, schema=SECRET)) == found


def test_another_tool_is_an_edit():
    changed = Approval(tool_name="mail", effective_tool="mail_draft", proposed={"a": 1}, edited={"a": 1})
    assert edits(changed) == [Edit("tool", "mail", "mail_draft")]
