"""Fork, replay and roll back on their pages: what is said before, what is chosen, what comes of it."""

import pytest

from agents.ids import new_id
from agents.lifecycle import SessionStatus
from agents.models import AgentSession, Approval, Rewind
from agents.roles import Role
from tests.factories import make_member
from tests.orchestrator.runtime.conftest import run_all, run_tool
from tests.orchestrator.runtime.rewinds import head, roll_back, start_of, values
from tests.orchestrator.runtime.test_runner import effects, fresh
from tests.orchestrator.web.conftest import signed_in
from tests.orchestrator.web.rewinding import Form, make_agent

pytestmark = pytest.mark.django_db(transaction=True)
KINDS = ("fork", "replay", "rollback")


@pytest.fixture
def agent(project, approver, trace):
    return lambda *args, **brief: make_agent(project, approver, *args, **brief)


def address(session, kind, at=None) -> str:
    return f"/agents/{session.pk}/{kind}/" + (f"?at={at}" if at else "")


def opened(browser, session, kind, at=None) -> Form:
    return Form(browser.get(address(session, kind, at or start_of(session))))


def send(browser, session, kind, form: Form, choice: str = "", **more):
    chosen = dict.fromkeys(form.effects, choice) if choice else {}
    return browser.post(address(session, kind), {**form.sent, "do": "it", **chosen, **more})


def text_of(answer) -> str:
    return answer.content.decode().split("<main", 1)[1]


@pytest.mark.parametrize("kind", KINDS)
def test_before_the_deed_the_page_lists_the_side_effects_and_says_what_will_happen(page, agent, kind):
    session = agent(tool="trace_wipeably")
    text = text_of(page.get(address(session, kind, start_of(session))))
    assert "<code>trace_wipeably</code>" in text
    assert "Can be undone" in text
    assert "I must" in text
    assert "made one call that changed the world: one can be undone." in text
    assert ("A second “Mission” starts" in text) is (kind == "fork")
    assert ("runs again from there" in text) is (kind == "replay")
    assert ("Nothing runs" in text) is (kind == "rollback")


@pytest.mark.parametrize(
    ("kind", "tool", "offered"),
    [
        ("fork", "trace_wipeably", ["keep", "repeat"]),
        ("replay", "trace_wipeably", ["keep", "repeat", "undo"]),
        ("rollback", "trace_wipeably", ["keep", "undo"]),
        ("replay", "leave_trace", ["keep", "repeat"]),
        ("rollback", "leave_trace", ["keep"]),
        ("replay", "trace_again", ["keep", "repeat"]),
    ],
)
def test_each_call_offers_what_can_be_done_about_it(page, agent, kind, tool, offered):
    form = opened(page, agent(tool=tool), kind)
    assert list(form.effects.values()) == [offered]


def test_a_call_that_cannot_be_undone_needs_the_persons_own_word(page, agent):
    session = agent(tool="leave_trace")
    form = opened(page, session, "replay")
    assert not set(form.effects) & set(form.sent)
    answer = send(page, session, "replay", form)
    assert answer.status_code == 422
    assert "Say what becomes of this one." in text_of(answer)
    assert not Rewind.objects.exists()


@pytest.mark.parametrize(("choice", "left"), [("keep", ["q"]), ("repeat", ["q", "q"]), ("undo", ["q"])])
def test_a_replay_does_with_the_call_what_was_chosen(page, agent, trace, choice, left):
    session = agent(tool="trace_wipeably")
    answer = send(page, session, "replay", opened(page, session, "replay"), choice)
    assert (answer.status_code, answer.url) == (302, f"/agents/{session.pk}/")
    run_all()
    assert fresh(session).current_run.number == 2
    assert effects(trace) == left
    assert (
        "runs again from checkpoint 1" in text_of(page.get(answer.url))
        or "runs again" in page.get("/").content.decode()
    )


def test_a_roll_back_makes_the_state_the_current_one_and_nothing_runs(page, agent, trace):
    session = agent(tool="trace_wipeably")
    before = head(session)
    send(page, session, "rollback", opened(page, session, "rollback"), "undo")
    assert (values(session)["name"], values(session).get("steps")) == ("q", [])
    assert head(session) != before
    assert (effects(trace), run_all()) == ([], 0)


def test_a_fork_begins_beside_it_and_the_two_name_each_other(page, agent, trace):
    session = agent(tool="leave_trace")
    answer = send(page, session, "fork", opened(page, session, "fork"), "keep")
    fork = AgentSession.objects.get(forked_from=session)
    assert answer.url == f"/agents/{fork.pk}/"
    run_all()
    assert (fresh(fork).status, effects(trace)) == (SessionStatus.SUCCEEDED, ["q"])
    assert f'href="/agents/{session.pk}/?at={start_of(session)}"' in text_of(page.get(answer.url))
    base = text_of(page.get(f"/agents/{session.pk}/"))
    assert "One fork" in base
    assert f'href="/agents/{fork.pk}/"' in base


def test_a_fork_takes_an_edit_along(page, agent, trace):
    session = agent(tool="leave_trace")
    form = opened(page, session, "fork")
    answer = send(page, session, "fork", form, "keep", **{"state-name": "other"})
    assert answer.status_code == 302
    run_all()
    assert effects(trace) == ["other", "q"]
    (rewind,) = Rewind.objects.all()
    assert "Changed name" in text_of(page.get(f"/agents/{session.pk}/"))
    assert rewind.fork.name == session.name


def test_faults_of_the_choices_and_of_the_values_are_told_at_once_and_nothing_is_lost(page, agent):
    session = agent(tool="leave_trace")
    form = opened(page, session, "fork")
    answer = send(page, session, "fork", form, **{"state-name": "typed", "state-below": "[1", "raw": '{"nothing": 1}'})
    text, again = text_of(answer), Form(answer)
    assert answer.status_code == 422
    assert "Say what becomes of this one." in text
    assert "This is no JSON" in text
    assert (again.sent["state-name"], again.sent["state-below"]) == ("typed", "[1")
    assert again.sent["raw"] == '{"nothing": 1}'
    assert not AgentSession.objects.filter(forked_from=session).exists()


def test_a_double_click_is_one_rewind(page, agent, trace):
    session = agent(tool="trace_wipeably")
    form = opened(page, session, "replay")
    answers = [send(page, session, "replay", form, "undo") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [302, 302]
    assert (Rewind.objects.count(), session.runs.count()) == (1, 2)


def test_who_comes_second_is_told_who_was_first_and_keeps_the_choices(page, agent, project):
    session = agent(tool="leave_trace")
    form = opened(page, session, "replay")
    roll_back(session, start_of(session), user=make_member(project, Role.OPERATOR, "olga"))
    answer = send(page, session, "replay", form, "repeat")
    text, again = text_of(answer), Form(answer)
    assert answer.status_code == 409
    assert "olga rolled it back since you looked" in text
    assert "What you typed and chose is still here" in text
    assert [again.sent[name] for name in form.effects] == ["repeat"]
    assert send(page, session, "replay", again).status_code == 302


def test_a_failed_undo_says_what_was_undone_what_failed_and_what_is_left(page, agent, monkeypatch):
    session = agent("test.three", tool="trace_wipeably")
    form = opened(page, session, "rollback")

    def fail_second(caller, arguments):
        if arguments.name == "q-1":
            raise OSError("disk gone")
        return {"name": arguments.name}

    with monkeypatch.context() as patch:
        run_tool(patch, "wipe_trace", fail_second)
        answer = send(page, session, "rollback", form, "undo")
    text, again = text_of(answer), Form(answer)
    panel = text.split('id="conflict"')[1].split("</section>")[0]
    assert answer.status_code == 409
    assert [panel.count(word) for word in ("Undone\n", "Undone<", "Failed", "Not tried")] == [0, 1, 1, 1]
    assert "disk gone" in panel
    assert "An earlier try to undo it failed: disk gone" in text
    assert list(again.effects) == [name for name in form.effects if name in again.effects]
    assert (len(again.effects), {again.sent[name] for name in again.effects}) == (2, {"undo"})
    assert send(page, session, "rollback", again).status_code == 302


def test_one_choice_for_all_that_allow_it(page, agent, trace):
    session = agent("test.fan", tool="trace_wipeably")
    form = opened(page, session, "replay")
    assert len(form.effects) == 6
    first = next(iter(form.effects))
    answer = page.post(address(session, "replay"), {**form.sent, first: "repeat", "do": "all-undo"})
    again = Form(answer)
    assert answer.status_code == 200
    assert {again.sent[name] for name in form.effects} == {"undo"}
    assert not Rewind.objects.exists()


def test_a_running_agent_is_not_replayed_and_the_choices_stay(page, agent):
    session = agent(tool="leave_trace")
    form = opened(page, session, "replay")
    AgentSession.objects.filter(pk=session.pk).update(status=SessionStatus.RUNNING, finished_at=None)
    assert "Not now: it is running" in text_of(page.get(address(session, "replay", start_of(session))))
    answer = send(page, session, "replay", form, "repeat")
    assert answer.status_code == 409
    assert "is running: pause or stop it first" in text_of(answer)
    assert [Form(answer).sent[name] for name in form.effects] == ["repeat"]


def test_a_removed_checkpoint_is_told_and_what_was_typed_is_still_there(page, agent):
    session = agent(tool="leave_trace")
    form = opened(page, session, "fork")
    answer = send(page, session, "fork", form, **{"at": str(new_id()), "state-name": "typed"})
    assert answer.status_code == 409
    assert "has been removed since" in text_of(answer)
    assert Form(answer).sent["state-name"] == "typed"


def test_where_nothing_is_left_to_do_a_replay_is_off_and_a_fork_needs_a_change(page, agent):
    session = agent(tool="leave_trace")
    assert "Nothing is left to do in that state" in text_of(page.get(address(session, "replay", head(session))))
    assert "Nothing is left to do in this state" in text_of(page.get(address(session, "fork", head(session))))
    form = opened(page, session, "fork", head(session))
    assert send(page, session, "fork", form).status_code == 409
    assert send(page, session, "fork", form, as_node="begin", rewind=str(new_id())).status_code == 302


def test_what_will_be_stopped_and_withdrawn_is_named_before(page, agent):
    session = agent("test.queen", below=(2, 1, 1), tool="ask_to_trace")
    text = text_of(page.get(address(session, "replay", start_of(session))))
    assert "Those that work for it are stopped: q.0, q.1, q.0.0 and three more" in text
    worker = AgentSession.objects.filter(level="worker").first()
    text = text_of(page.get(address(worker, "rollback", start_of(worker))))
    assert "Its open request to people is withdrawn" in text
    assert f"Nothing runs. “{worker.name}” is paused" in text
    send(page, worker, "rollback", opened(page, worker, "rollback"))
    assert Approval.objects.filter(session=worker).get().status == "withdrawn"


def test_only_an_approver_may_undo_what_asks(project, agent):
    session = agent(tool="trace_wipeable_on_asking")
    operator = signed_in(make_member(project, Role.OPERATOR))
    answer = operator.get(address(session, "rollback", start_of(session)))
    assert "only approvers may undo it" in text_of(answer)
    assert send(operator, session, "rollback", Form(answer), "undo").status_code == 403
    assert send(operator, session, "rollback", Form(answer), "keep").status_code == 302


@pytest.mark.parametrize("kind", [*KINDS, "edit"])
def test_viewers_look_and_do_not_act_and_strangers_find_nothing(viewer_page, stranger_page, agent, kind):
    session = agent(tool="leave_trace")
    answer = viewer_page.get(address(session, kind, start_of(session)))
    assert answer.status_code == 200
    assert "operators change states" in text_of(answer)
    assert 'value="it"' not in text_of(answer)
    form = Form(answer)
    more = {"state-name": "x"} if kind == "edit" else {}
    assert send(viewer_page, session, kind, form, "keep", **more).status_code == 403
    assert stranger_page.get(address(session, kind, start_of(session))).status_code == 404
    assert send(stranger_page, session, kind, form, "keep").status_code == 404
    assert not Rewind.objects.exists()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", ["x", "00000000-0000-4000-8000-000000000000"])
def test_a_checkpoint_that_is_not_there_is_not_found(page, agent, kind, at):
    assert page.get(address(agent(), kind, at)).status_code == 404


def test_what_a_form_sends_is_not_believed(page, agent):
    session = agent(tool="leave_trace")
    form = opened(page, session, "replay")
    (call,) = form.effects
    for more in ({"rewind": "x"}, {"rewind": ""}, {"seen": "nothing"}):
        assert send(page, session, "replay", form, "keep", **more).status_code == 404
    for more in ({call: "undo"}, {call: "burn"}, {f"effect-{new_id()}": "keep"}):
        assert send(page, session, "replay", form, "keep", **more).status_code == 422
    many = {f"effect-{new_id()}": "keep" for _ in range(1500)}
    assert send(page, session, "replay", form, "keep", **many).status_code == 422
    assert not Rewind.objects.exists()


def test_the_buttons_of_the_session_page_say_why_they_are_off(page, viewer_page, agent):
    session = agent()
    text = text_of(page.get(f"/agents/{session.pk}/"))
    assert f'href="/agents/{session.pk}/edit/"' in text
    assert "this is the current state" in text
    earlier = text_of(page.get(f"/agents/{session.pk}/?at={start_of(session)}"))
    assert f'href="/agents/{session.pk}/rollback/?at={start_of(session)}"' in earlier
    assert "only the current state is edited" in earlier
    assert "operators change states" in text_of(viewer_page.get(f"/agents/{session.pk}/"))


def test_the_session_page_lists_side_effects_and_tells_of_rewinds(page, agent):
    session = agent("test.queen", below=(1, 1, 1), tool="trace_wipeably")
    point = start_of(session)
    panel = text_of(page.get(f"/agents/{session.pk}/?at={point}")).split('id="effects"')[1].split("</section>")[0]
    assert "can be undone" in panel
    assert "by q.0.0.0" in panel
    send(page, session, "rollback", opened(page, session, "rollback"), "undo")
    events = text_of(page.get(f"/agents/{session.pk}/")).split('id="happened"')[1]
    assert "rolled <b>Mission</b> back to" in events
    assert "Side effects: 1 undone." in events
    feed = page.get(f"/missions/{session.pk}/?tab=activity").content.decode()
    assert "rolled <b>Mission</b> back to" in feed
