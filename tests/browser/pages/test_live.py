"""What happens on the server shows on the page without a reload, and nothing of the person's is touched."""

import re

import pytest
from playwright.sync_api import Page, expect

from agents.models import Membership
from agents.roles import Level, Role
from agents.services import decisions
from agents.services.conclusions import Decision
from orchestrator.realtime import feed
from tests.factories import make_member, make_mission
from tests.orchestrator.web.situations import ask, delegate, end, run, say
from tests.servers import cut_redis_connections
from tests.stack import eventually


def live(page: Page) -> Page:
    """The page, as soon as its link is up."""
    expect(page.locator("#link b")).to_have_text("Live")
    return page


def fetches(page: Page) -> list[str]:
    """The addresses of live fetches from now on."""
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url) if re.search(r"[?&]r=", request.url) else None)
    return seen


def hide(page: Page, hidden: bool) -> None:
    """Send the tab to the background, or bring it back."""
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


@pytest.fixture
def mission(site):
    return make_mission(site.project, site.user)


def row(page: Page, session):
    return page.locator(f"#agent-{session.pk}")


def test_agents_appear_speak_wait_and_end_while_one_watches(site, mission):
    page = live(site.open(f"/missions/{mission.pk}/"))
    expect(row(page, mission)).to_contain_text("Queued")
    one, two = delegate(run(mission), Level.ARCHITECT, "Literature", "Simulation")
    expect(row(page, two)).to_contain_text("Simulation")
    expect(row(page, mission)).to_contain_text("Waiting for Literature, Simulation")
    say(run(one), "Reading the third source")
    expect(row(page, one)).to_contain_text("Reading the third source")
    ask(one)
    expect(row(page, one)).to_contain_text("Needs a human")
    expect(page).to_have_title(re.compile(r"^\(1\) Mission"))
    expect(page.locator(".page-head .pill")).to_contain_text("1 needs a human")
    expect(page.locator("#announcer")).to_have_text("1 decision waits for you")
    assert page.locator("#favicon").get_attribute("href") == "/static/favicon-waits.svg"
    run(two)
    end(two)
    expect(row(page, two)).to_contain_text("Done")
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1


def test_elapsed_time_and_lanes_go_on_by_themselves(site, mission):
    run(mission)
    page = live(site.open(f"/missions/{mission.pk}/"))
    time_, bar = row(page, mission).locator("time[data-since]"), row(page, mission).locator("rect[data-grows]")
    before, width = time_.text_content(), float(bar.get_attribute("width").rstrip("%"))
    page.wait_for_timeout(2500)
    assert time_.text_content() != before
    assert float(bar.get_attribute("width").rstrip("%")) > width


def test_one_change_costs_one_fetch_of_what_it_concerns(site, mission):
    one, two = delegate(run(mission), Level.ARCHITECT, "one", "two")
    page = live(site.open(f"/missions/{mission.pk}/"))
    seen = fetches(page)
    say(run(one), "Hello")
    expect(row(page, one)).to_contain_text("Hello")
    page.wait_for_timeout(1000)
    asked = [region for url in seen for region in re.findall(r"[?&]r=([\w-]+)", url)]
    assert f"agent-{one.pk}" in asked
    assert f"agent-{two.pk}" not in asked
    assert len(seen) <= 3  # two commits, taken up and said


def test_a_hidden_tab_fetches_nothing_but_counts_and_comes_back_with_one_fetch(site, mission):
    (one,) = delegate(run(mission), Level.ARCHITECT, "one")
    page = site.open(f"/missions/{mission.pk}/")
    heard: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: heard.append(str(frame))))
    page.reload()
    live(page)
    hide(page, True)
    seen = fetches(page)
    for number in range(5):
        say(run(one) if number == 0 else one, f"Step {number}")
    ask(one)
    expect(page).to_have_title(re.compile(r"^\(1\) "))
    latest = feed.cursor(mission.project_id)
    eventually(lambda: page.wait_for_timeout(20) or any(latest in frame for frame in heard))
    assert seen == []
    hide(page, False)
    expect(row(page, one)).to_contain_text("Needs a human")
    assert len(seen) == 1


def test_a_lost_link_is_said_and_what_was_missed_is_made_up_for(site, mission):
    (one,) = delegate(run(mission), Level.ARCHITECT, "one")
    page = live(site.open(f"/missions/{mission.pk}/"))
    page.evaluate(
        """() => {
            const link = document.querySelector("#link b");
            window.words = [];
            new MutationObserver(() => window.words.push(link.textContent)).observe(link, { childList: true });
        }"""
    )
    with page.expect_event("websocket"):  # the next one
        assert cut_redis_connections()
        say(run(one), "Said in between")
    expect(row(page, one)).to_contain_text("Said in between")
    live(page)
    assert page.evaluate("window.words")[:2] == ["Reconnecting", "Live"]


def test_without_a_socket_the_page_polls_and_says_so(site, mission):
    page = site.open("/login/")
    page.route_web_socket("**/live/**", lambda socket: socket.close())
    page.clock.install()
    page.goto(f"/missions/{mission.pk}/")
    for _ in range(8):
        page.clock.run_for(4000)
    expect(page.locator("#link b")).to_have_text("Polling")
    run(mission)
    for _ in range(6):
        page.clock.run_for(4000)
        page.wait_for_timeout(300)
    expect(row(page, mission)).to_contain_text("Running")


def test_who_loses_the_project_is_shown_nothing_more(site, mission):
    page = live(site.open(f"/missions/{mission.pk}/"))
    Membership.objects.filter(user=site.user).delete()
    run(mission)
    expect(page.locator("h1")).to_have_text("There is no such page")


def test_a_session_that_ran_out_leads_to_the_sign_in(site, mission):
    page = live(site.open(f"/missions/{mission.pk}/"))
    site.user.set_password("another")
    site.user.save()
    run(mission)
    page.wait_for_url("**/login/?next=/missions/**")


# ------------------------------------------------------------------ what is the person's stays


def test_an_open_form_is_never_overwritten_and_its_bar_closes(site, mission):
    approval = ask(mission)
    page = live(site.open(f"/approvals/{approval.pk}/"))
    page.fill("#arg-title", "My own title")
    other = make_member(site.project, Role.APPROVER, "noor")
    decisions.decide(approval.pk, Decision("approve", approval.proposed), by=other, version=1)
    expect(page.locator("#decide")).to_contain_text("This request is closed: it was decided")
    expect(page.locator("#decide")).to_contain_text("by noor")
    expect(page.locator("#verdict")).to_contain_text("Approved")
    expect(page.locator("#arg-title")).to_have_value("My own title")
    expect(page.locator(f"#request-{approval.pk}")).to_contain_text("Approved")


def test_new_requests_wait_behind_a_button_and_the_list_does_not_jump(site, mission):
    first = ask(mission)
    page = live(site.open("/approvals/"))
    second = ask(make_mission(site.project, site.user), risk="high")
    expect(page.locator("[data-fresh] button")).to_have_text("Show 1 new")
    assert page.locator("#requests > li").count() == 1
    page.locator("[data-fresh] button").click()
    assert page.locator("#requests > li").evaluate_all("rows => rows.map(row => row.id)") == [
        f"request-{second.pk}",
        f"request-{first.pk}",
    ]
    expect(page.locator("[data-fresh]")).to_be_hidden()


def test_the_first_request_comes_by_itself_where_nothing_waited(site, mission):
    page = live(site.open("/approvals/"))
    expect(page.locator("h1")).to_have_text("Nothing waits for you")
    ask(mission)
    expect(page.locator("h1")).to_contain_text("Publish a report")


def test_a_folded_branch_stays_folded_and_the_focus_where_it_is(site, mission):
    (one,) = delegate(run(mission), Level.ARCHITECT, "one")
    (below,) = delegate(run(one), Level.SPECIALIST, "below")
    page = live(site.open(f"/missions/{mission.pk}/"))
    row(page, one).focus()
    page.keyboard.press("ArrowLeft")
    expect(row(page, below)).to_be_hidden()
    say(run(below), "Said while folded")
    delegate(below, Level.WORKER, "deeper")  # a new agent: the whole tree comes anew
    expect(page.locator("#agents .n")).to_have_text("4")
    expect(row(page, below)).to_be_hidden()
    expect(row(page, one)).to_be_focused()


def test_time_is_told_in_the_readers_own_zone(site, mission):
    page = site.open(f"/missions/{mission.pk}/", timezone_id="Asia/Kathmandu")
    live(page)
    shown = page.locator("#facts time[data-clock]").first
    told = page.evaluate(
        "iso => new Intl.DateTimeFormat('en-GB', {hour: '2-digit', minute: '2-digit', timeZone: 'Asia/Kathmandu'})"
        ".format(new Date(iso))",
        shown.get_attribute("datetime"),
    )
    assert shown.text_content() == told
