"""Dead letters: what fails for good is one row with its reason, until a person settles it."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from agents.actor import person
from agents.errors import Forbidden, InvalidTransition, NotFound
from agents.lifecycle import LetterKind, LetterStatus, SessionStatus
from agents.models import AgentRun, AuditEntry, DeadLetter, Membership
from agents.roles import Role
from agents.selectors import letters as selectors
from agents.services import control
from agents.services import letters as service
from agents.services.letters import Reason
from orchestrator import dispatch, tasks
from orchestrator.actions import letters
from orchestrator.runtime import lines
from orchestrator.runtime.leases import Lease
from tests import agent_types
from tests.factories import make_member, make_project, make_user
from tests.orchestrator.runtime.conftest import run_all, run_tool
from tests.orchestrator.runtime.test_runner import effects, fresh
from tests.races import at_once

pytestmark = pytest.mark.usefixtures("redis_client")


@pytest.fixture
def failing(monkeypatch):
    """Agents of this name fail until the set is emptied."""
    monkeypatch.setattr(agent_types, "FAILING", {"q"})
    return agent_types.FAILING


def operator(session):
    return make_member(session.project, Role.OPERATOR)


def test_an_agent_that_failed_unforeseen_is_a_letter_with_its_reason(mission, failing):
    root = mission("test.worker")
    run_all()
    letter = DeadLetter.objects.get()
    assert (letter.kind, letter.session_id, letter.error_code) == (LetterKind.SESSION, root.pk, "RuntimeError")
    assert letter.message == "q was told to fail"
    assert "Traceback" in letter.trace
    assert "agent_types.py" in letter.trace


def test_an_agent_whose_workers_died_too_often_is_a_letter(mission):
    root = mission("test.worker")
    AgentRun.objects.update(crashes=5)
    run_all()
    letter = DeadLetter.objects.get(session=root)
    assert (letter.error_code, fresh(root).current_run.error_code) == ("worker_died", "worker_died")


def test_what_goes_by_the_rules_is_no_letter(mission):
    control.cancel(mission("test.worker").pk, actor=person(make_user().pk), reason="enough")
    mission("test.worker", tool="never_trace")
    run_all()
    assert not DeadLetter.objects.exists()


def test_a_tool_that_was_given_up_is_one_letter_not_two(mission, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST_SLEEP", float("inf"))  # so that no pause ends the attempt
    monkeypatch.setattr(Lease, "rest", lambda lease, seconds: None)
    run_tool(monkeypatch, "trace_again", lambda caller, arguments: (_ for _ in ()).throw(TimeoutError("slow")))
    root = mission("test.worker", tool="trace_again")
    run_all()
    letter = DeadLetter.objects.get()
    assert (letter.kind, letter.session_id, letter.message) == (LetterKind.TOOL, root.pk, "slow")
    assert letter.execution.tries == 4


def test_replaying_goes_on_from_the_last_state(mission, failing, trace):
    root = mission("test.worker")
    run_all()
    failing.clear()
    who = operator(root)
    settled = letters.replay(who, DeadLetter.objects.get().pk)
    assert (settled.status, settled.settled_by) == (LetterStatus.REPLAYED, who)
    run_all()
    assert fresh(root).status == SessionStatus.SUCCEEDED
    assert effects(trace) == ["q"]
    assert AuditEntry.objects.get(action="letter.replay").user == who


def test_trying_the_agent_again_by_another_door_settles_its_letter(mission, failing):
    root = mission("test.worker")
    run_all()
    who = operator(root)
    control.retry(root.pk, actor=person(who.pk))
    letter = DeadLetter.objects.get()
    assert (letter.status, letter.settled_by) == (LetterStatus.REPLAYED, who)
    with pytest.raises(InvalidTransition):
        letters.replay(who, letter.pk)


def test_what_fails_again_after_a_replay_is_a_new_letter(mission, failing):
    root = mission("test.worker")
    run_all()
    letters.replay(operator(root), DeadLetter.objects.get().pk)
    run_all()
    assert list(DeadLetter.objects.order_by("first_at").values_list("status", "count")) == [
        ("replayed", 1),
        ("open", 1),
    ]


def test_discarding_leaves_it_at_that(mission, failing):
    root = mission("test.worker")
    run_all()
    letter = DeadLetter.objects.get()
    assert letters.discard(operator(root), letter.pk).status == LetterStatus.DISCARDED
    assert fresh(root).status == SessionStatus.FAILED
    assert AuditEntry.objects.filter(action="letter.discard").count() == 1


def test_of_two_who_settle_a_letter_one_is_first(mission, failing):
    root = mission("test.worker")
    run_all()
    one, other = operator(root), operator(root)
    letter = DeadLetter.objects.get().pk
    outcomes = at_once(lambda: letters.replay(one, letter), lambda: letters.discard(other, letter))
    assert sum(isinstance(outcome, InvalidTransition) for outcome in outcomes) == 1


@pytest.mark.django_db
def test_a_task_that_raises_again_and_again_is_one_letter():
    for number in range(3):
        tasks.keep_failed(tasks.prune, [], RuntimeError(f"full disk {number}"))
    letter = DeadLetter.objects.get()
    assert (letter.task, letter.count, letter.message) == ("queenright.prune", 3, "full disk 2")
    assert letter.first_at <= letter.last_at


@pytest.mark.django_db(transaction=True)
def test_replaying_a_task_sends_it_again_after_the_commit(monkeypatch):
    sent = []
    monkeypatch.setattr(dispatch.current_app, "send_task", lambda name, **options: sent.append((name, options)))
    tasks.keep_failed(tasks.run_next, ["queen"], RuntimeError("no"))
    admin = make_member(make_project(), Role.ADMIN)
    letters.replay(admin, DeadLetter.objects.get().pk)
    assert sent == [("queenright.run_next", {"args": ["queen"], "queue": "queen"})]


@pytest.mark.django_db
def test_letters_of_the_installation_are_for_admins_only():
    service.keep_task("queenright.prune", [], Reason("error", "no"))
    letter = DeadLetter.objects.get()
    project = make_project()
    admin, approver = make_member(project, Role.ADMIN), make_member(project, Role.APPROVER)
    assert list(selectors.waiting(admin)) == [letter]
    assert list(selectors.waiting(approver)) == []
    with pytest.raises(NotFound):
        letters.discard(approver, letter.pk)


def test_strangers_and_viewers_settle_nothing(mission, failing):
    root = mission("test.worker")
    run_all()
    letter = DeadLetter.objects.get()
    viewer, stranger = make_member(root.project, Role.VIEWER), make_member(make_project(), Role.ADMIN)
    with pytest.raises(Forbidden):
        letters.discard(viewer, letter.pk)
    with pytest.raises(NotFound):
        letters.replay(stranger, letter.pk)
    assert list(selectors.waiting(stranger)) == []


def test_what_no_text_column_takes_is_kept_without_it(mission):
    service.keep_session(mission("test.worker"), Reason("error", "a\0b", "x" * 100_000 + "end"))
    letter = DeadLetter.objects.get()
    assert letter.message == "ab"
    assert letter.trace.endswith("end")
    assert len(letter.trace) == service.LONGEST_TRACE


def command(*arguments: str) -> str:
    out, errors = StringIO(), StringIO()
    call_command("dead_letters", *arguments, stdout=out, stderr=errors)
    return out.getvalue()


def test_the_command_lists_replays_and_discards(mission, failing):
    root = mission("test.worker")
    run_all()
    who = operator(root)
    letter = DeadLetter.objects.get()
    name = who.get_username()
    assert f"{letter.pk}" in command("list", "--user", name)
    assert "Traceback" not in command("list", "--user", name, "--trace")
    Membership.objects.filter(user=who).update(role=Role.ADMIN)
    assert "Traceback" in command("list", "--user", name, "--trace")
    assert command("replay", str(letter.pk), "--user", name) == f"{letter.pk} replayed\n"
    with pytest.raises(CommandError, match="1 of 1"):
        command("discard", str(letter.pk), "--user", name)
    assert command("list", "--user", name) == "Nothing has failed for good.\n"
    with pytest.raises(CommandError, match="no user"):
        command("list", "--user", "nobody")
