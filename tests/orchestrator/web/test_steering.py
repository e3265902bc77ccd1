"""The buttons that steer: what they say before, what they say after, and for how many."""

import re

import pytest
from django.core.management import CommandError, call_command

from agents.models import AgentMessage, AgentSession, AuditEntry, SessionWait, Signal
from agents.roles import Level
from tests.factories import make_mission
from tests.orchestrator.web.situations import ask, delegate, end, run, wait_for_signal


@pytest.fixture
def mission(project, approver):
    return make_mission(project, approver)


@pytest.fixture
def family(mission):
    """A queen that waits for one architect at work and one who waits for a person."""
    one, two = delegate(run(mission), Level.ARCHITECT, "one", "two")
    run(one)
    ask(two)
    return mission, one, two


def words(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def steer(page, session, verb, **form):
    return words(page.post(f"/agents/{session.pk}/{verb}/", form, follow=True))


def test_a_stop_says_before_what_it_will_do_to_how_many(page, family):
    text = words(page.get(f"/missions/{family[0].pk}/?agent={family[0].pk}"))
    assert "3 agents stop: 1 at its next step, 2 at once. One request to a person is withdrawn." in text
    assert "3 agents rest: 1 at the next step, 2 at once. Those that are started later begin paused." in text


def test_a_stop_says_afterwards_what_it_did(page, family):
    assert "Mission and 2 agents below stop, 1 of them at its next step." in steer(page, family[0], "cancel")
    text = steer(page, family[0], "cancel")
    assert "Not Mission, two: it had ended." in text
    assert AuditEntry.objects.filter(action="session.cancel").count() == 2
    detail = AuditEntry.objects.filter(action="session.cancel").latest("created_at").detail
    assert detail["not_done"] == {str(family[0].pk): "it had ended", str(family[2].pk): "it had ended"}


def test_one_agent_may_rest_while_those_below_go_on(page, family):
    steer(page, family[0], "pause", scope="one")
    assert dict(AgentSession.objects.values_list("name", "status")) == {
        "Mission": "paused",
        "one": "running",
        "two": "waiting_approval",
    }


def test_a_message_sent_twice_arrives_once(page, family):
    telling = "01890a5d-ac96-774b-bcce-b302099a8057"
    for _ in range(2):
        steer(page, family[1], "tell", text="Mind the bees", telling=telling, scope="below")
    assert AgentMessage.objects.get(message_type="human").content == "Mind the bees"
    assert "not read yet" in words(page.get(f"/agents/{family[1].pk}/"))


@pytest.fixture
def waits_for_signal(mission):
    return wait_for_signal(mission, "go-ahead")


def test_a_signal_is_sent_once_to_whoever_waits_for_it(page, waits_for_signal, django_capture_on_commit_callbacks):
    assert 'value="go-ahead" readonly' in page.get(f"/agents/{waits_for_signal.pk}/").content.decode()
    form = {"name": "go-ahead", "payload": '{"go": true}', "signal": "01890a5d-ac96-774b-bcce-b302099a8057"}
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            assert "The signal go-ahead is sent." in steer(page, waits_for_signal, "signal", **form)
    assert Signal.objects.get().payload == {"go": True}
    assert AgentSession.objects.get().status == "queued"
    assert SessionWait.objects.get().answer["value"]["payload"] == {"go": True}
    assert "Send signal" not in page.get(f"/agents/{waits_for_signal.pk}/").content.decode()


@pytest.mark.parametrize(
    "form",
    [
        {"name": "go-ahead", "payload": "{go}"},
        {"name": "go-ahead", "payload": "[" * 100_000},
        {"name": " "},
        {"payload": "1"},
    ],
    ids=["no JSON", "too deep", "empty name", "no name"],
)
def test_a_signal_that_cannot_be_taken_wakes_nobody(page, waits_for_signal, form):
    assert page.post(f"/agents/{waits_for_signal.pk}/signal/", form).status_code == 422
    assert not Signal.objects.exists()
    assert AgentSession.objects.get().status == "waiting_event"


@pytest.mark.parametrize(
    ("verb", "form"), [("tell", {"text": "  "}), ("prioritise", {"priority": "10"}), ("prioritise", {"priority": "x"})]
)
def test_nonsense_changes_nothing(page, family, verb, form):
    assert page.post(f"/agents/{family[0].pk}/{verb}/", form).status_code == 422
    assert not AgentMessage.objects.exists()
    assert set(AgentSession.objects.values_list("priority", flat=True)) == {0}


def test_a_priority_is_set_for_all_below(page, family):
    steer(page, family[0], "prioritise", priority="7", scope="below")
    assert set(AgentSession.objects.values_list("priority", flat=True)) == {7}


def test_the_session_page_steers_too_and_comes_back(page, family):
    answer = page.post(f"/agents/{family[1].pk}/pause/", {"back": "session"})
    assert answer["Location"] == f"/agents/{family[1].pk}/"
    assert f'action="/agents/{family[1].pk}/cancel/"' in page.get(f"/agents/{family[1].pk}/").content.decode()


def test_a_restarted_agents_page_opens_before_its_first_step(page, mission):
    end(run(mission), "failed", error="no")
    steer(page, mission, "retry", **{"from": "start"})
    assert page.get(f"/agents/{mission.pk}/").status_code == 200
    assert AgentSession.objects.get().current_run.command == "restart"


def test_the_command_does_what_the_buttons_do(family, approver, capsys):
    call_command("control", "pause", str(family[0].pk), "--user", approver.username, "--below")
    told = capsys.readouterr().out
    assert f"{family[1].pk}  one: at its next step" in told
    assert f"{family[2].pk}  two: done" in told
    with pytest.raises(CommandError, match="still at work"):
        call_command("control", "retry", str(family[0].pk), "--user", approver.username)
    with pytest.raises(CommandError, match="no user"):
        call_command("control", "pause", str(family[0].pk), "--user", "nobody")


def test_the_signal_command_sends_what_the_page_sends(mission, approver, capsys):
    arguments = ("signal", str(mission.pk), "go-ahead", "--user", approver.username)
    call_command(*arguments, "--payload", '{"go": true}')
    sent = Signal.objects.get()
    assert (sent.name, sent.payload, capsys.readouterr().out) == ("go-ahead", {"go": True}, f"Sent {sent.pk}.\n")
    for bad, why in (("{", "is no JSON"), ("[" * 100_000, "nested too deeply")):
        with pytest.raises(CommandError, match=why):
            call_command(*arguments, "--payload", bad)
    with pytest.raises(CommandError, match="no user"):
        call_command(*arguments[:-1], "nobody")
    assert Signal.objects.count() == 1
