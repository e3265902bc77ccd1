"""An agent's history in the browser: slider, tree on demand, comparison, names."""

import re

import pytest
from playwright.sync_api import expect

from tests.factories import make_mission
from tests.orchestrator.web.test_session_state import messages, save


def ids(session) -> list[str]:
    return [str(pk) for pk in session.states.order_by("created_at").values_list("checkpoint_id", flat=True)]


@pytest.fixture
def session(site):
    session = make_mission(site.project, site.user)
    save(
        session,
        *(
            {"note": f"note {number}", "plan": {"a": [{"b": number}] * 30}, "messages": messages(200)}
            for number in range(5)
        ),
    )
    return session


def test_the_slider_is_walked_with_arrow_keys_and_keeps_its_address(site, session):
    page = site.open(f"/agents/{session.pk}/")
    page.locator("#at-step").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#state-h")).to_have_text("State at 3")
    expect(page.locator("#at-step")).to_be_focused()
    expect(page).to_have_url(re.compile(rf"\?at={ids(session)[3]}$"))
    page.keyboard.press("Home")
    expect(page.locator("#state-h")).to_have_text("State at 0")
    page.reload()
    expect(page.locator("#state-h")).to_have_text("State at 0")
    page.go_back()
    expect(page.locator("#state-h")).to_have_text("State at 3")


def test_a_click_on_the_drawing_chooses_the_checkpoint_there(site, session):
    page = site.open(f"/agents/{session.pk}/")
    rail = page.locator("svg[data-rail]")
    box = rail.bounding_box()
    rail.click(position={"x": box["width"] / 2, "y": 28})
    expect(page.locator("#state-h")).to_have_text("State at 2")


def test_another_is_chosen_to_compare_with(site, session):
    page = site.open(f"/agents/{session.pk}/")
    page.locator("#with").select_option("0")
    expect(page.locator("#changes-h")).to_have_text("0 compared with 4")
    expect(page.locator("#changes")).to_contain_text("“note 0”")
    page.locator("#at-step").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#changes-h")).to_have_text("0 compared with 3")


def test_nodes_fetch_what_they_hold_when_they_are_opened(site, session):
    page = site.open(f"/agents/{session.pk}/")
    tree = page.locator("#state [role=tree]")
    tree.locator("[tabindex='0']").focus()  # messages
    expect(page.locator(":focus")).to_contain_text("list, 200")
    page.keyboard.press("ArrowRight")
    expect(tree.get_by_text("150 more")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.locator(":focus")).to_contain_text("message 0 says")
    page.keyboard.press("ArrowRight")
    expect(tree.locator("[aria-level='3']").first).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(tree.locator("[aria-level='3']").first).to_be_hidden()
    tree.get_by_text("150 more").click()
    expect(tree.get_by_text("100 more")).to_be_visible()
    expect(page.locator(":focus")).to_contain_text("message 50 says")


def test_what_was_opened_stays_open_at_another_checkpoint(site, session):
    page = site.open(f"/agents/{session.pk}/")
    page.locator("#state").get_by_text("list, 30").click()
    expect(page.locator("#state [aria-level='3']").first).to_be_visible()
    page.locator("#at-step").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#state-h")).to_have_text("State at 3")
    expect(page.locator("#state [aria-level='3']").first).to_be_visible()


def test_a_checkpoint_is_named_and_found_again_by_a_key(site, session):
    page = site.open(f"/agents/{session.pk}/?at={ids(session)[1]}")
    page.fill("#checkpoint-name", "before doping")
    page.get_by_role("button", name="Name it").click()
    expect(page.locator("svg[data-rail]")).to_contain_text("1 · before doping")
    page.fill("#checkpoint-name", "")
    page.goto(f"/agents/{session.pk}/?at={ids(session)[3]}")
    expect(page.locator("#link b")).to_have_text("Live")
    page.keyboard.press("[")
    expect(page.locator("#state-h")).to_have_text("State at 1")
    page.goto(f"/agents/{session.pk}/?at={ids(session)[3]}")
    page.fill("#checkpoint-name", "before doping")
    page.get_by_role("button", name="Name it").click()
    expect(page.locator("#checkpoint-name-error")).to_contain_text("Another checkpoint of this agent has that name")
    expect(page.locator("#checkpoint-name")).to_have_value("before doping")


def test_a_checkpoint_that_is_saved_meanwhile_appears(site, session):
    page = site.open(f"/agents/{session.pk}/")
    expect(page.locator("#state-h")).to_have_text("State at 4")
    other = site.open(f"/agents/{session.pk}/?at={ids(session)[0]}")
    save(session, {"note": "fresh"})
    other.fill("#checkpoint-name", "told")
    other.get_by_role("button", name="Name it").click()
    expect(page.locator("#state-h")).to_have_text("State at 5")
    expect(page.locator("#state")).to_contain_text("“fresh”")
