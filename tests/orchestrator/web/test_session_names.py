"""Naming checkpoints: who may, what a name may be, once and twice, two at once."""

import threading

import pytest
from django.db import connections

from agents.actor import SYSTEM
from agents.errors import InvalidInput, NotFound
from agents.models import AgentEvent, AuditEntry
from agents.models.states import AgentState
from agents.services import checkpoint_names
from tests.factories import make_mission
from tests.orchestrator.web.test_session_state import save

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session(project, approver):
    session = make_mission(project, approver)
    save(session, {"note": "one"}, {"note": "two"})
    return session


def ids(session) -> list:
    return list(session.states.order_by("created_at").values_list("checkpoint_id", flat=True))


def names(session) -> list[str]:
    return list(session.states.order_by("created_at").values_list("checkpoint_name", flat=True))


def send(browser, session, at, name, **more):
    return browser.post(f"/agents/{session.pk}/name/", {"at": str(at), "name": name, **more})


def test_a_name_is_given_shown_and_taken_away(page, session):
    first, _ = ids(session)
    answer = send(page, session, first, "  before   doping ")
    assert answer.url == f"/agents/{session.pk}/?at={first}"
    assert names(session) == ["before doping", ""]
    text = page.get(f"/agents/{session.pk}/").content.decode()
    assert "0 · before doping</option>" in text
    assert 'data-key="["' in text
    send(page, session, first, "ignored", do="remove")
    assert names(session) == ["", ""]


def test_the_same_name_twice_is_one_event_and_one_audit_entry(page, session):
    first, _ = ids(session)
    for _ in range(2):
        assert send(page, session, first, "once").status_code == 302
    (event,) = AgentEvent.objects.filter(event_type="session.checkpoint_named")
    assert event.event_data["checkpoint_id"] == str(first)
    assert "once" not in str(event.event_data)
    assert AuditEntry.objects.filter(action="checkpoint.name").count() == 1


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("taken", "Another checkpoint"),
        ("x" * 81, "80 are the most"),
        ("a\0b", "cannot be shown"),
        ("\u202ex", "cannot"),
    ],
)
def test_a_name_that_does_not_fit_is_kept_in_the_form_with_the_reason(page, session, name, fault):
    first, second = ids(session)
    send(page, session, first, "taken")
    answer = send(page, session, second, name)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert fault in text.split('id="checkpoint-name-error"')[1].split("</p>")[0]
    assert 'aria-invalid="true"' in text
    assert names(session) == ["taken", ""]


def test_the_script_gets_the_part_with_the_fault(page, session):
    answer = page.post(
        f"/agents/{session.pk}/name/",
        {"at": str(ids(session)[0]), "name": "x" * 81},
        headers={"HX-Request": "true", "HX-Target": "steps"},
    )
    assert answer.status_code == 422
    assert answer.content.decode().strip().startswith('<div class="stack" id="steps"')


def test_two_sessions_may_use_one_name(page, session, project, approver):
    other = make_mission(project, approver)
    save(other, {"note": "x"})
    send(page, session, ids(session)[0], "same")
    assert send(page, other, ids(other)[0], "same").status_code == 302


def test_viewers_and_strangers_cannot_name(viewer_page, stranger_page, session):
    first, _ = ids(session)
    assert send(viewer_page, session, first, "mine").status_code == 403
    assert send(stranger_page, session, first, "mine").status_code == 404
    assert names(session) == ["", ""]
    assert 'id="checkpoint-name"' not in viewer_page.get(f"/agents/{session.pk}/").content.decode()


@pytest.mark.parametrize("at", ["x", "", "00000000-0000-4000-8000-000000000000"])
def test_only_a_checkpoint_that_is_there_is_named(page, session, at):
    assert send(page, session, at, "name").status_code == 404
    assert names(session) == ["", ""]


def test_a_checkpoint_of_another_session_is_not_found(session, project, approver):
    other = make_mission(project, approver)
    save(other, {"note": "x"})
    with pytest.raises(NotFound):
        checkpoint_names.give(session.pk, ids(other)[0], "x", actor=SYSTEM)


def test_of_two_who_give_one_name_to_two_checkpoints_one_is_told(session):
    barrier, told = threading.Barrier(2), []

    def give(checkpoint_id) -> None:
        barrier.wait()
        try:
            checkpoint_names.give(session.pk, checkpoint_id, "same", actor=SYSTEM)
            told.append("given")
        except InvalidInput as error:
            told.append(error.data["fields"]["name"])
        finally:
            connections.close_all()

    threads = [threading.Thread(target=give, args=(one,)) for one in ids(session)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["Another checkpoint of this agent has that name.", "given"]
    assert AgentState.objects.filter(session=session, checkpoint_name="same").count() == 1
