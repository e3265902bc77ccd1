"""Dialogs that steer agents, and dead letters, as a person uses them."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from agents.lifecycle import SessionStatus
from agents.models import AgentSession, DeadLetter, Signal
from agents.roles import Level
from agents.services import letters
from agents.services.letters import Reason
from tests.browser.pages.test_live import live
from tests.factories import make_mission
from tests.orchestrator.web.situations import delegate, end, run, wait_for_signal


@pytest.fixture
def mission(site):
    return make_mission(site.project, site.user)


def failed(site, goal: str) -> AgentSession:
    mission = make_mission(site.project, site.user, goal=goal)
    letters.keep_session(mission, Reason("worker_died", "Its worker died five times.", ""))
    end(run(mission), SessionStatus.FAILED, error="Its worker died five times.")
    return mission


def dialog(page: Page, verb: str) -> Locator:
    page.get_by_role("button", name=f"{verb}…").first.click()
    return page.get_by_role("dialog").first


def test_letters_come_by_themselves_and_are_replayed_all_at_once(site):
    page = live(site.open("/system/letters/"))
    expect(page.get_by_text("Nothing has failed for good")).to_be_visible()
    for goal in ("one", "two", "three"):
        failed(site, goal)
    expect(page.locator("#letters tbody tr")).to_have_count(3)
    page.get_by_label("Select all").check()
    assert page.locator("input[name=letter]:checked").count() == 3
    page.get_by_label("Select Mission").first.uncheck()
    page.get_by_role("button", name="Replay selected").click()
    expect(page.locator("#letters tbody tr")).to_have_count(1)
    assert sorted(DeadLetter.objects.values_list("status", flat=True)) == ["open", "replayed", "replayed"]
    assert AgentSession.objects.filter(status="queued").count() == 2


def test_what_is_selected_stays_so_when_a_change_comes_that_was_on_its_way(site):
    one = failed(site, "one")
    page = live(site.open("/system/letters/"))
    held = []
    page.route(re.compile(r"/system/letters/.*[?&]r="), lambda route: held.append(route))
    with page.expect_request(re.compile(r"r=letters")):
        failed(site, "two")
    page.get_by_label("Select Mission").check()
    for route in held:
        route.continue_()
    expect(page.locator("#letters tbody tr")).to_have_count(2)
    chosen = page.locator("input[name=letter]:checked").evaluate_all("boxes => boxes.map(box => box.value)")
    assert chosen == [str(DeadLetter.objects.get(session=one).pk)]


def test_a_dialog_says_what_a_pause_will_do_and_does_that(site, mission):
    one, two = delegate(run(mission), Level.ARCHITECT, "one", "two")
    run(one)
    page = live(site.open(f"/missions/{mission.pk}/"))
    asks = dialog(page, "Pause")
    expect(asks).to_contain_text("3 agents rest: 1 at the next step, 2 at once.")
    asks.get_by_label("Why, for whoever looks later").fill("The sources are wrong")
    page.keyboard.press("Escape")
    expect(asks).to_be_hidden()
    assert AgentSession.objects.get(pk=two.pk).status == "queued"
    asks = dialog(page, "Pause")
    expect(asks.get_by_label("Why, for whoever looks later")).to_have_value("The sources are wrong")
    asks.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Mission and 2 agents below rest, 1 of them at its next step.")).to_be_visible()
    expect(page.locator(f"#agent-{two.pk}")).to_contain_text("Paused")
    assert AgentSession.objects.get(pk=two.pk).control_reason == "The sources are wrong"


def test_a_signal_is_sent_from_the_page_of_who_waits_for_it(site, mission):
    wait_for_signal(mission, "go-ahead")
    page = live(site.open(f"/agents/{mission.pk}/"))
    asks = dialog(page, "Send signal")
    expect(asks.get_by_label("Signal", exact=True)).to_have_value("go-ahead")
    asks.get_by_label("What it carries").fill('{"go": true}')
    asks.get_by_role("button", name="Send").click()
    expect(page.get_by_text("The signal go-ahead is sent.")).to_be_visible()
    expect(page.get_by_text("Queued").first).to_be_visible()
    assert Signal.objects.get().payload == {"go": True}
