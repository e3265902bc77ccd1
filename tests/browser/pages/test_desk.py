"""The approval desk by keyboard: twenty requests are decided, and nothing is touched by a mouse."""

import pytest
from django.db import transaction
from langgraph.types import Interrupt
from playwright.sync_api import expect

from agents.actor import SYSTEM
from agents.lifecycle import Risk, SessionStatus
from agents.models import Approval
from agents.services import decisions, sessions
from agents.services.conclusions import Decision
from memory.services import precedents as services
from orchestrator.runtime.foreign import ask_people
from tests.factories import make_mission
from tests.orchestrator.web.situations import REPORT, ask, run

pytestmark = pytest.mark.xdist_group("pages")
CALL = {"type": "tool_approval", "tool_call_id": "c1", "name": "pay", "args": {"cents": 5}, "description": "Pay five"}


def foreign(site, value, schema=None) -> Approval:
    """A graph that knows nothing of Queenright asks."""
    with transaction.atomic():
        locked = run(make_mission(site.project, site.user))
        (approval, *_) = ask_people(locked, Interrupt(value=value, id="i1", response_schema=schema))
        sessions.move(locked, SessionStatus.WAITING_APPROVAL, actor=SYSTEM)
    return approval


def request(site, **changes) -> Approval:
    return ask(make_mission(site.project, site.user), **changes)


def status_of(approval: Approval) -> str:
    approval.refresh_from_db()
    return approval.status


def after(page, keys) -> None:
    """Press keys that decide a request, and wait until the page goes on."""
    before = page.locator("input[name=key]").first.get_attribute("value")
    for key in keys:
        page.keyboard.press(key)
    expect(page.locator(f'input[name=key][value="{before}"]')).to_have_count(0)


def test_twenty_requests_are_decided_by_keyboard_alone(site):
    asked = [request(site, proposed={**REPORT, "file_name": f"report-{n:02}.md"}) for n in range(18)]
    answered = [foreign(site, CALL), foreign(site, {"question": "Which account?"}, {"type": "string"})]
    page = site.open("/approvals/")
    page.evaluate("document.addEventListener('mousedown', () => { document.title = 'a mouse' }, true)")

    # the graph's call has the highest risk, so it comes first: answered in words
    page.keyboard.press("t")
    page.keyboard.type("Not this month")
    after(page, ["Control+Enter"])
    assert status_of(answered[0]) == "answered"

    for approval in asked[:5]:
        after(page, ["a"])
        assert status_of(approval) == "approved"
    for approval in asked[5:8]:
        page.keyboard.press("e")
        page.keyboard.press("Control+a")
        page.keyboard.type(f"better-{approval.pk.hex[:6]}.md")
        after(page, ["Escape", "a"])
        assert status_of(approval) == "approved"
        assert approval.effective["file_name"] == f"better-{approval.pk.hex[:6]}.md"
    for approval in asked[8:10]:
        page.keyboard.press("r")
        page.keyboard.type("Not now")
        after(page, ["Control+Enter"])
        assert status_of(approval) == "rejected"

    for number in range(4):  # pick three, leave one out, come back
        if number != 1:
            page.keyboard.press("x")
        here = page.url
        page.keyboard.press("j")
        page.wait_for_url(lambda url, here=here: url != here)
        expect(page.locator("#link b")).to_have_text("Live")
    page.keyboard.press("x")
    expect(page.locator("[data-picked]")).to_have_text("1")
    page.keyboard.press("Shift+A")
    after(page, ["Control+Enter"])
    assert status_of(asked[14]) == "approved"

    for approval in [*asked[10:14], *asked[15:]]:
        after(page, ["a"])
        assert status_of(approval) == "approved"
    page.keyboard.press("t")
    page.keyboard.type("The first one")
    after(page, ["Escape", "a"])
    assert status_of(answered[1]) == "answered"
    assert not Approval.objects.filter(status="pending").exists()
    assert "a mouse" not in page.title()


@pytest.mark.parametrize(
    ("risk", "steps"), [(Risk.LOW, ["a"]), (Risk.MEDIUM, ["a"]), (Risk.HIGH, ["a", "Control+Enter"])]
)
def test_a_decision_is_two_steps_from_the_list_at_most(site, risk, steps):
    approval = request(site, risk=risk)
    page = site.open("/approvals/")
    after(page, steps)
    assert status_of(approval) == "approved"
    assert len(steps) <= 2


def test_a_decision_of_low_risk_is_taken_back_by_a_key_in_time(site):
    approval = request(site, risk=Risk.LOW)
    page = site.open("/approvals/")
    page.keyboard.press("a")
    expect(page.locator(".toast form")).to_be_visible()
    page.keyboard.press("z")
    expect(page.get_by_text("Taken back: Publish a report")).to_be_visible()
    assert status_of(approval) == "pending"
    page.keyboard.press("a")
    toast = page.locator(".toast form")
    expect(toast).to_be_visible()
    expect(toast).to_have_count(0)  # by itself, once it is too late


def test_what_is_picked_stays_picked_while_the_list_changes(site):
    first, second = request(site), request(site)
    page = site.open(f"/approvals/{first.pk}/")
    page.keyboard.press("x")
    expect(page.locator("[data-picked]")).to_have_text("1")
    request(site)
    expect(page.locator("[data-fresh=requests]")).to_be_visible()
    assert page.locator("input[name=pick]:checked").count() == 1
    other = site.open(f"/approvals/{second.pk}/")
    other.keyboard.press("a")
    expect(page.locator(f"#request-{second.pk} input")).to_have_count(0)
    assert page.locator("input[name=pick]:checked").get_attribute("value") == f"{first.pk}:1"


def test_many_at_once_say_what_became_of_each(site):
    wanted = [request(site) for _ in range(3)]
    page = site.open("/approvals/")
    for approval in wanted:
        page.locator(f"#request-{approval.pk} input").check()
    other = site.open(f"/approvals/{wanted[0].pk}/")
    other.keyboard.press("a")
    expect(page.locator(f"#request-{wanted[0].pk} input")).to_have_count(0)  # it is decided: nobody can pick it
    Approval.objects.filter(pk=wanted[1].pk).update(version=2)
    page.keyboard.press("Shift+A")
    page.get_by_role("button", name="Approve", exact=True).last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("1 done, 1 changed since you saw them")
    assert [status_of(one) for one in wanted] == ["approved", "pending", "approved"]


def test_what_stands_beside_a_request_comes_and_goes_while_somebody_types(site):
    for _ in range(5):
        decisions.decide(request(site).pk, Decision("approve"), by=site.user, version=1)
    services.gather()
    last = request(site)
    page = site.open(f"/approvals/{last.pk}/")
    page.fill("#arg-title", "Typed meanwhile")
    expect(page.locator("#similar .prec > li")).to_have_count(5)  # nobody but the page has looked for them
    page.get_by_role("button", name="Not now").click()
    expect(page.locator("#suggestion .note")).to_have_count(0)
    assert page.input_value("#arg-title") == "Typed meanwhile"
    assert status_of(last) == "pending"


def test_what_is_decided_meanwhile_waits_beside_the_list_and_nothing_jumps(site):
    first, second, new = (request(site) for _ in range(3))
    for approval in (first, second):
        decisions.decide(approval.pk, Decision("approve"), by=site.user, version=1)
    page = site.open("/approvals/?state=decided")
    expect(page.locator("#link b")).to_have_text("Live")
    rows = page.locator("#requests > li")
    decisions.decide(new.pk, Decision("reject", reason="Not now"), by=site.user, version=1)
    expect(page.locator("[data-fresh=requests] button")).to_have_text("Show 1 new")
    expect(rows).to_have_count(2)
    expect(page.locator(f"#request-{second.pk}")).to_have_attribute("aria-current", "true")
    page.locator("[data-fresh=requests] button").click()
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("Rejected")
    expect(page.locator(f"#request-{second.pk}")).to_have_attribute("aria-current", "true")
    page.keyboard.press("j")
    page.wait_for_url(f"**/approvals/{first.pk}/?state=decided")
