"""What was decided, as a list: who or what decided, when, and what came of it."""

import re

import pytest

from agents.actor import SYSTEM
from agents.lifecycle import ExecutionStatus, Risk, RuleVerdict
from agents.models import Approval, ToolExecution
from agents.roles import Role
from agents.services import control, rules
from agents.services.conclusions import Decision
from agents.services.decisions import decide, undo
from agents.services.rules import Rule
from orchestrator.web import approval_lists
from tests.factories import make_member, make_mission, make_project
from tests.orchestrator.web.conftest import signed_in
from tests.orchestrator.web.situations import REPORT, ask

pytestmark = pytest.mark.django_db
REJECT = Decision("reject", reason="Not yet.")
LIST = "/approvals/?state=decided"


@pytest.fixture
def noor(project):
    """Another who decides."""
    return make_member(project, Role.APPROVER, "noor")


def decided(project, by, decision=None, *, title="", **changes) -> Approval:
    """A request that a person has decided, called by its title."""
    approval = ask(make_mission(project), **changes)
    Approval.objects.filter(pk=approval.pk).update(title=title or approval.title)
    return decide(approval.pk, decision or Decision("approve"), by=by, version=1)


def text_of(client, address=LIST) -> str:
    return client.get(address).content.decode()


def listed(client, address=LIST) -> list[str]:
    return re.findall(r'<li class="acard" id="request-([^"]+)"', text_of(client, address))


def row(text, approval) -> str:
    """The words of its row."""
    cut = text[text.index(f'id="request-{approval.pk}"') :]
    words = re.sub(r"<[^>]+>", " ", cut[cut.index(">") + 1 : cut.index("</li>")])
    return re.sub(r"\s+", " ", words).strip()


def chip(text, label) -> str:
    """Where a filter leads."""
    return re.search(rf'<a class="chip" href="([^"]+)"[^>]*>{label}</a>', text)[1].replace("&amp;", "&")


def test_the_list_of_open_requests_and_that_of_decided_ones_lead_to_each_other(page, project, noor):
    waits = ask(make_mission(project))
    done = decided(project, noor)
    text = text_of(page, "/approvals/?risk=medium&age=hour")
    assert '<a href="/approvals/?state=decided&amp;risk=medium#list">Decided</a>' in text
    text = text_of(page, f"{LIST}&risk=medium&outcome=approved&by=person")
    assert '<a href="/approvals/?risk=medium#list">Open<span class="n hot">1</span></a>' in text
    assert 'aria-current="page">Decided</a>' in text
    assert listed(page) == [str(done.pk)]
    assert listed(page, "/approvals/") == [str(waits.pk)]
    assert listed(page, "/approvals/?state=nonsense") == [str(waits.pk)]


def test_the_newest_decision_stands_first_and_opens_beside_the_list(page, project, noor):
    first, second = decided(project, noor, title="First"), decided(project, noor, REJECT, title="Second")
    text = text_of(page)
    assert listed(page) == [str(second.pk), str(first.pk)]
    assert re.search(r"<h1[^>]*>Second", text)
    assert "This request is closed" in text
    assert f'href="/approvals/{first.pk}/?state=decided" data-key="j"' in text
    text = text_of(page, f"/approvals/{first.pk}/?state=decided")
    assert re.search(r"<h1[^>]*>First", text)
    assert f'href="/approvals/{second.pk}/?state=decided" data-key="k"' in text
    assert f'id="request-{first.pk}" data-live="approval:{first.pk}" aria-current="true"' in text


def test_a_row_says_what_was_decided_by_whom_when_and_what_came_of_it(page, project, noor):
    edited = decided(project, noor, Decision("approve", {**REPORT, "file_name": "b.md", "title": "B"}))
    ToolExecution.objects.filter(pk=edited.execution_id).update(status=ExecutionStatus.COMPLETED)
    failed = decided(project, noor)
    ToolExecution.objects.filter(pk=failed.execution_id).update(status=ExecutionStatus.FAILED)
    other_tool = decided(project, noor)
    Approval.objects.filter(pk=other_tool.pk).update(effective_tool="send_mail")
    rejected = decided(project, noor, REJECT)
    late = decided(project, noor, REJECT)
    Approval.objects.filter(pk=late.pk).update(decided_how="deadline", decided_by=None)
    rules.make(
        project.pk,
        Rule("publish_report", RuleVerdict.APPROVE, "Low ones", {"risks": ["low"]}, "", None, None),
        by=make_member(project),
    )
    ruled = ask(make_mission(project), risk=Risk.LOW)
    stopped = ask(make_mission(project))
    control.cancel(stopped.session_id, actor=SYSTEM, reason="Enough")
    text = text_of(page)
    told = {name: row(text, one) for name, one in locals().items() if isinstance(one, Approval)}
    assert re.fullmatch(r"Publish a report b\.md · Mission Approved with 2 edits Ran by noor \d+ s ago", told["edited"])
    assert re.search(r"Approved Failed by noor \d+ s ago$", told["failed"])
    assert re.search(r"Approved with send_mail by noor \d+ s ago$", told["other_tool"])
    assert re.search(r"Rejected by noor \d+ s ago$", told["rejected"])
    assert re.search(r"Rejected by its deadline \d+ s ago$", told["late"])
    assert re.search(r"Approved by the rule “Low ones” \d+ s ago$", told["ruled"])
    assert re.search(r"Withdrawn \d+ s ago$", told["stopped"])
    assert text.count('data-s="done"') >= 4  # icon and colour


def test_a_decided_request_shows_the_arguments_that_took_effect_beside_the_proposed_ones(page, project, noor):
    decided(project, noor, Decision("approve", {**REPORT, "file_name": "b.md"}))
    text = text_of(page)
    assert 'value="b.md" id="arg-file_name"' in text
    assert "proposed <del>report.md</del>" in text
    assert "<span>1 edit</span>" in text
    same = decided(project, noor)
    text = text_of(page, f"/approvals/{same.pk}/")
    assert 'value="report.md" id="arg-file_name"' in text
    assert 'class="was">' not in text


def test_nothing_is_picked_or_claimed_there(page, project, noor):
    decided(project, noor)
    waits = ask(make_mission(project))
    for address in (LIST, f"/approvals/{waits.pk}/?state=decided"):
        text = text_of(page, address)
        assert 'name="pick"' not in text
        assert 'id="bulk"' not in text
        assert "Next free" not in text


def test_filters_lead_to_addresses_that_leave_what_fits(page, project, noor, approver):
    mine, theirs = decided(project, approver), decided(project, noor, REJECT)
    text = text_of(page, f"{LIST}&outcome=rejected")
    assert listed(page, f"{LIST}&outcome=rejected") == [str(theirs.pk)]
    assert 'href="/approvals/?state=decided#list" aria-current="true">Rejected</a>' in text
    assert chip(text, "By me") == "/approvals/?state=decided&outcome=rejected&by=me#list"
    assert chip(text, "All") == "/approvals/?state=decided#list"
    assert 'href="/approvals/?state=decided#list">' in text[text.index("list-h") :]  # Clear filters
    assert listed(page, chip(text_of(page), "By me")) == [str(mine.pk)]
    assert listed(page, chip(text_of(page), "Over an hour ago")) == []
    assert listed(page, chip(text_of(page), "High risk")) == []
    assert listed(page, f"{LIST}&outcome=pending&by=nobody&cursor=nonsense") == [str(theirs.pk), str(mine.pk)]


def test_tools_and_agents_of_decisions_are_offered_where_there_are_several(page, project, noor):
    decided(project, noor)
    assert ">publish_report</a>" not in text_of(page)
    Approval.objects.update(tool_name="pay")
    decided(project, noor)
    assert chip(text_of(page), "pay") == "/approvals/?state=decided&tool=pay#list"


def test_every_way_to_decide_and_every_outcome_can_be_asked_for(page):
    text = text_of(page)
    asked = set(re.findall(r"state=decided&amp;(by|outcome)=(\w+)", text))
    assert asked == {
        *(("by", by) for by in ("me", "person", "rule", "policy", "deadline")),
        *(("outcome", outcome) for outcome in ("approved", "rejected", "answered", "withdrawn")),
    }


@pytest.fixture
def few(monkeypatch):
    """Two to a page."""
    monkeypatch.setattr(approval_lists, "PAGE", 2)


def link(text, label) -> str:
    return re.search(rf'<a class="btn small[^"]*" href="([^"]+)"[^>]*>(?:<svg.*?</svg>)?{label}', text)[1].replace(
        "&amp;", "&"
    )


def test_older_decisions_are_on_pages_of_their_own(page, project, noor, few):
    made = [str(decided(project, noor).pk) for _ in range(5)][::-1]
    decided(project, noor, REJECT)
    address = f"{LIST}&outcome=approved"
    first = text_of(page, address)
    assert listed(page, address) == made[:2]
    assert ">Newest</a>" not in first
    second = link(first, "Older")
    assert listed(page, second) == made[2:4]
    third = link(text_of(page, second), "Older")
    assert listed(page, third) == made[4:]
    text = text_of(page, third)
    assert "Older<" not in text
    assert "there is nothing older" in text
    assert link(text, "Newest") == "/approvals/?state=decided&outcome=approved#list"


def test_what_is_opened_on_an_older_page_stays_on_it(page, project, noor, few):
    made = [str(decided(project, noor).pk) for _ in range(4)][::-1]
    older = link(text_of(page), "Older")
    opened = re.search(rf'href="(/approvals/{made[3]}/[^"]+)"', text_of(page, older))[1].replace("&amp;", "&")
    assert listed(page, opened) == made[2:]
    assert f'data-from="{opened}"'.replace("&", "&amp;") in text_of(page, opened)
    assert "cursor" not in chip(text_of(page, opened), "Rejected")


def test_a_page_beyond_the_last_says_so(page, project, noor, few):
    made = [decided(project, noor) for _ in range(3)]
    older = link(text_of(page), "Older")
    Approval.objects.filter(pk=made[0].pk).update(decided_at=made[2].decided_at)
    text = text_of(page, older)
    assert "There is nothing older" in text
    assert 'href="/approvals/?state=decided#list">Show the newest</a>' in text


def test_an_empty_list_says_so_calmly(page, project, noor):
    assert "Nothing has been decided yet" in text_of(page)
    decided(project, noor)
    text = text_of(page, f"{LIST}&by=rule")
    assert "No decision fits these filters" in text
    assert 'data-live="approval.decided"' in text


def test_a_new_decision_waits_beside_the_list_and_an_old_page_asks_for_none(page, project, noor, few):
    made = [decided(project, noor) for _ in range(3)]
    text = text_of(page)
    assert re.search(r'<ul id="requests" data-list data-live="approval\.decided"', text)
    assert 'data-fresh="requests"' in text
    older = text_of(page, link(text, "Older"))
    assert re.search(r'<ul id="requests" data-list aria-label', older)
    new = decided(project, noor)
    parts = page.get(f"/approvals/{made[2].pk}/?state=decided&r=requests&r=older&r=verdict&r=request-{made[1].pk}")
    told = parts.content.decode()
    assert re.findall(r' id="(requests|older|verdict|request-[^"]+)"', told) == [
        "requests", f"request-{new.pk}", f"request-{made[2].pk}", "older", "verdict", f"request-{made[1].pk}",
    ]  # fmt: skip
    assert f'data-live="approval:{made[2].pk}"' in told[told.index('id="verdict"') :]  # not of the new one


def test_a_decision_that_is_taken_back_says_so_in_its_row_and_is_gone_with_the_next_look(page, project, approver):
    approval = decided(project, approver, risk=Risk.LOW)
    assert "Take it back" in text_of(page)
    undo(approval.pk, by=approver)
    told = page.get(f"{LIST}&r=request-{approval.pk}").content.decode()
    assert "Waits for a decision" in told
    assert "checkbox" not in told
    assert listed(page) == []


def test_a_request_that_is_decided_from_there_stays_in_sight(page, project):
    approval = ask(make_mission(project))
    form = {"verdict": "approve", "version": 1, **{f"arg-{name}": value for name, value in REPORT.items()}}
    answer = page.post(f"/approvals/{approval.pk}/decide/?state=decided&by=me", form)
    assert answer["Location"] == f"/approvals/{approval.pk}/?state=decided&by=me"
    assert listed(page, answer["Location"]) == [str(approval.pk)]


def test_a_viewer_sees_what_was_decided_and_others_of_another_project_nothing(
    viewer_page, stranger_page, project, noor
):
    done = decided(project, noor)
    assert listed(viewer_page) == [str(done.pk)]
    assert "trail.csv" not in text_of(viewer_page)
    assert listed(stranger_page) == []
    assert stranger_page.get(f"{LIST}&r=request-{done.pk}").content == b""
    theirs = make_project()
    decided(theirs, make_member(theirs, Role.APPROVER))
    assert listed(signed_in(noor)) == [str(done.pk)]


def test_the_list_takes_as_many_queries_for_many_decisions_as_for_one(
    page, project, noor, django_assert_max_num_queries
):
    decided(project, noor)
    page.get(LIST)
    with django_assert_max_num_queries(27) as one:
        page.get(LIST)
    for _ in range(9):
        decided(project, noor)
    with django_assert_max_num_queries(len(one)):
        assert len(listed(page)) == 10
