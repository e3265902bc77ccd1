"""Edit, fork, replay and roll back in the browser, with agents that leave traces in the world."""

import re
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from agents.ids import new_id
from agents.lifecycle import Choice, RewindKind, SessionStatus
from agents.models import AgentSession, Rewind
from agents.roles import Level
from agents.services import rewinds
from agents.services.rewinds import Request
from tests.factories import make_mission
from tests.orchestrator.runtime.conftest import run_all
from tests.orchestrator.runtime.rewinds import choosing, head, roll_back, start_of, values
from tests.orchestrator.runtime.test_runner import effects, fresh
from tests.orchestrator.web.rewinding import make_agent
from tests.orchestrator.web.situations import say
from tests.orchestrator.web.test_session_state import messages, save

SERIOUS = "axe.run(document, {resultTypes: ['violations']})"


@pytest.fixture
def agent(site, trace):
    return lambda *args, **brief: make_agent(site.project, site.user, *args, **brief)


def calls(page: Page):
    """The listed side effects."""
    return page.locator(".effects > li")


def test_a_fork_is_made_from_the_slider_on_and_runs_beside_the_original(site, agent, trace):
    session = agent("test.queen", below=(1, 1, 2), tool="trace_wipeably")
    page = site.open(f"/agents/{session.pk}/")
    page.locator("#at-step").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#effects")).to_contain_text("can be undone")
    page.get_by_role("link", name="Fork from 1").click()
    expect(page.locator("h1")).to_have_text("Fork Mission from checkpoint 1")
    expect(calls(page)).to_have_count(2)
    expect(calls(page).first).to_contain_text("by q.0.0.0")
    calls(page).first.get_by_role("radio", name="Repeat").check()
    page.get_by_role("button", name="Fork from 1").click()
    expect(page.locator("#head")).to_contain_text("Forked from")
    expect(page.locator("#toasts .toast")).to_contain_text("A fork of Mission begins at checkpoint 1.")
    fork = AgentSession.objects.get(forked_from=session)
    run_all()
    expect(page.locator("#head .pill")).to_have_text("Done")
    assert effects(trace) == ["q.0.0.0", "q.0.0.0", "q.0.0.1"]
    page.get_by_role("link", name="a state of Mission").first.click()
    expect(page.locator("#state-h")).to_have_text("State at 1")
    expect(page.locator("#head")).to_contain_text("One fork")
    page.goto(f"/missions/{fork.pk}/")
    expect(page.locator("h1")).to_have_text("Mission")


def test_a_replay_needs_a_word_for_what_cannot_be_undone(site, agent, trace):
    session = agent(tool="leave_trace")
    page = site.open(f"/agents/{session.pk}/?at={start_of(session)}")
    page.get_by_role("link", name="Replay from 1").click()
    expect(calls(page)).to_contain_text("Cannot be undone")
    expect(calls(page).get_by_role("radio", checked=True)).to_have_count(0)
    page.get_by_role("button", name="Replay from 1").click()
    expect(page.get_by_role("alert").first).to_contain_text("Nothing was changed")
    expect(calls(page).locator(".err")).to_have_text("Say what becomes of this one.")
    expect(calls(page).get_by_role("radio", name="Keep")).to_be_focused()
    calls(page).get_by_role("radio", name="Repeat").check()
    page.get_by_role("button", name="Replay from 1").click()
    expect(page.locator("#happened")).to_contain_text("replayed Mission from an earlier state")
    run_all()
    expect(page.locator("#happened")).to_contain_text("Mission finished")
    assert effects(trace) == ["q", "q"]


def test_a_roll_back_undoes_what_was_chosen_and_nothing_runs(site, agent, trace):
    session = agent("test.three", tool="trace_wipeably")
    page = site.open(f"/agents/{session.pk}/rollback/?at={start_of(session)}")
    expect(page.locator(".checks")).to_contain_text("becomes the current one again")
    expect(calls(page)).to_have_count(3)
    for place in (0, 2):
        calls(page).nth(place).get_by_role("radio", name="Undo").check()
    page.get_by_role("button", name="Roll back to 1").click()
    expect(page.locator("#state-h")).to_have_text("State at 5")
    expect(page.locator("#happened")).to_contain_text("Side effects: 1 kept, 2 undone.")
    assert (effects(trace), fresh(session).status) == (["q-1"], SessionStatus.SUCCEEDED)
    assert "result" not in values(session)


def test_a_state_is_edited_field_by_field(site, agent):
    session = agent(tool="ask_to_trace")
    page = site.open(f"/agents/{session.pk}/")
    page.get_by_role("link", name="Edit state").click()
    page.get_by_label(re.compile("^name")).fill("other")
    expect(page.locator(".arg.changed")).to_have_count(1)
    page.get_by_role("button", name="Restore").click()
    expect(page.locator(".arg.changed")).to_have_count(0)
    page.get_by_label(re.compile("^name")).fill("other")
    page.keyboard.press("Enter")  # writes nothing by itself
    expect(page.get_by_role("status").filter(has_text="takes these values")).to_be_visible()
    expect(page.get_by_label("steps, through the reducer")).to_be_hidden()
    page.get_by_role("radiogroup", name=re.compile("^steps")).get_by_text("Through the reducer").click()
    page.get_by_label("steps, through the reducer").fill("[7]")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.locator("#error-5")).to_contain_text("valid string")
    expect(page.get_by_label(re.compile("^name"))).to_have_value("other")
    page.get_by_label("steps, through the reducer").fill('["mine"]')
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="takes these values")).to_be_visible()
    page.get_by_role("button", name="Write the new state").click()
    expect(page.locator("#state")).to_contain_text("“other”")
    expect(page.locator("#head .pill")).to_have_text("Paused")
    assert values(session)["steps"] == ["begin", "mine"]


def test_all_of_it_works_with_the_keyboard_alone(site, agent, trace):
    session = agent(tool="trace_wipeably")
    page = site.open(f"/agents/{session.pk}/?at={start_of(session)}")
    page.get_by_role("link", name="Roll back to 1").focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("Roll Mission back")
    expect(page.locator("#link b")).to_have_text("Live")
    page.locator("summary", has_text="Input and output").focus()
    page.keyboard.press("Enter")
    expect(page.locator("pre.json").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(calls(page).get_by_role("radio", name="Keep")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(calls(page).get_by_role("radio", name="Undo")).to_be_checked()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Roll back to 1")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#happened")).to_contain_text("rolled Mission back")
    assert effects(trace) == []


def test_who_comes_second_finds_the_focus_on_what_happened_and_the_choice_kept(site, agent):
    session = agent(tool="leave_trace")
    page = site.open(f"/agents/{session.pk}/replay/?at={start_of(session)}")
    calls(page).get_by_role("radio", name="Repeat").check()
    roll_back(session, start_of(session))
    page.get_by_role("button", name="Replay from 1").click()
    expect(page.locator("#conflict")).to_be_focused()
    expect(page.locator("#conflict")).to_contain_text("rolled it back since you looked")
    expect(calls(page).get_by_role("radio", name="Repeat")).to_be_checked()
    page.get_by_role("button", name="Replay from 1").click()
    expect(page.locator("#happened")).to_contain_text("replayed Mission")


def test_a_rewind_whose_process_died_is_finished_or_given_up_and_a_failure_stays_to_be_read(site, agent, trace):
    session = agent(tool="trace_wipeably")
    undo = choosing(session, start_of(session), Choice.UNDO)
    request = Request(new_id(), RewindKind.ROLLBACK, start_of(session), head(session), undo)
    page = site.open(f"/agents/{session.pk}/")
    rewinds.begin(session.pk, request, by=site.user)
    expect(page.locator("#holds")).to_contain_text("mara has been rolling back Mission")
    trace.unlink()  # the world has changed: nothing can be taken back
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#conflict")).to_be_focused()
    expect(page.locator("#conflict")).to_contain_text("Leave a trace")
    expect(page.locator("#holds")).to_be_hidden()
    expect(page.locator("#link b")).to_have_text("Live")
    say(session, "Something new")
    page.locator("#happened").scroll_into_view_if_needed()
    expect(page.locator("#happened")).to_contain_text("Something new")
    expect(page.locator("#conflict")).to_be_visible()
    rewinds.begin(session.pk, replace(request, rewind_id=new_id()), by=site.user)
    page.get_by_role("button", name="Give up").click()
    expect(page.locator("#toasts .toast")).to_contain_text("was given up")
    expect(page.locator("#happened")).to_contain_text("Given up by mara.")


def test_a_double_click_is_one_rewind(site, agent):
    session = agent(tool="trace_wipeably")
    page = site.open(f"/agents/{session.pk}/fork/?at={start_of(session)}")
    page.get_by_role("button", name="Fork from 1").dblclick()
    expect(page.locator("#head")).to_contain_text("Forked from")
    assert AgentSession.objects.filter(forked_from=session).count() == Rewind.objects.count() == 1


def test_without_script_a_state_is_edited_and_an_agent_replayed(site, agent, trace):
    session = agent(tool="leave_trace")
    page = site.open(f"/agents/{session.pk}/edit/", java_script_enabled=False)
    page.get_by_role("radiogroup", name=re.compile("^steps")).get_by_text("Replace").click()
    page.get_by_label("steps, replaced").fill('["only"]')
    page.get_by_role("button", name="Write the new state").click()
    assert values(session)["steps"] == ["only"]
    page.goto(f"/agents/{session.pk}/?at={start_of(session)}")
    page.get_by_role("link", name="Replay from 1").click()
    calls(page).get_by_text("Keep").click()
    page.get_by_role("button", name="Replay from 1").click()
    expect(page.locator("h1")).to_have_text("Mission")
    run_all()
    assert (fresh(session).current_run.number, effects(trace)) == (2, ["q"])


def test_ten_thousand_messages_are_not_sent_until_they_are_opened(site):
    session = make_mission(site.project, site.user, agent_type="test.worker", level=Level.WORKER)
    state = {"name": "q", "result": {"messages": messages(10_000)}, "steps": ["begin"], "branch:to:use": None}
    save(session, state, {**state, "name": "r"})
    page = site.open()
    for path in ("", "edit/", f"fork/?at={head(session)}", f"replay/?at={head(session)}"):
        assert len(page.goto(f"/agents/{session.pk}/{path}").body()) < 100_000, path
        assert page.evaluate("document.querySelectorAll('*').length") < 1500, path
        expect(page.locator("main")).not_to_contain_text("message 5000 says")
    page.goto(f"/agents/{session.pk}/")
    page.locator("#state").get_by_text("list, 10000").click()
    expect(page.locator("#state")).to_contain_text("9950 more")
    assert page.evaluate("document.querySelectorAll('#state [role=treeitem]').length") < 100


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_forms_with_faults_and_conflicts_are_sound_for_everybody(site, agent, axe, width, scheme):
    session = agent("test.fan", tool="leave_trace")
    page = site.open(f"/agents/{session.pk}/fork/?at={start_of(session)}", width=width, color_scheme=scheme)
    told = []

    def look(name: str) -> None:
        page.evaluate(axe)
        found = page.evaluate(SERIOUS)["violations"]
        told.extend(
            (name, one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
        )
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name

    page.locator("summary", has_text="Change something").click()
    page.locator("summary", has_text="Raw JSON").click()
    page.get_by_label(re.compile("^Names of values")).fill("{")
    page.get_by_role("button", name="Fork from").click()
    expect(page.locator("#raw-error")).to_be_visible()
    look("faults")
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(calls(page).get_by_role("radio", checked=True)).to_have_count(6)
    look("all chosen")
    page.goto(f"/agents/{session.pk}/replay/?at={start_of(session)}")
    page.get_by_role("button", name="Keep", exact=True).click()
    roll_back(session, start_of(session))
    page.get_by_role("button", name="Replay from").click()
    expect(page.locator("#conflict")).to_be_visible()
    look("conflict")
    assert not told
