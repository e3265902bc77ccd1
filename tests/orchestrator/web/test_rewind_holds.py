"""Rewinds whose process died, on the session's page; and forks as missions of their own."""

import pytest

from agents.ids import new_id
from agents.lifecycle import Choice, ExecutionStatus, RewindKind, RewindStatus
from agents.models import AgentSession, Rewind, ToolExecution
from agents.roles import Level, Role
from agents.services import rewinds
from agents.services.rewinds import Request
from memory.models import MissionSource
from memory.words import SourceOrigin
from tests.factories import make_member
from tests.orchestrator.runtime.conftest import run_tool
from tests.orchestrator.runtime.rewinds import choosing, fork, head, start_of
from tests.orchestrator.runtime.test_runner import effects
from tests.orchestrator.web.rewinding import make_agent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session(project, approver, trace):
    return make_agent(project, approver, "test.three", tool="trace_wipeably")


def hold(session, by, choice=Choice.UNDO) -> Rewind:
    """A roll back that was begun and not carried out."""
    chosen = choosing(session, start_of(session), choice)
    request = Request(new_id(), RewindKind.ROLLBACK, start_of(session), head(session), chosen)
    return rewinds.begin(session.pk, request, by=by)


def text_of(answer) -> str:
    return answer.content.decode().split("<main", 1)[1]


def test_an_open_rewind_is_told_with_who_and_what_also_to_those_below(page, viewer_page, project, approver, trace):
    root = make_agent(project, approver, "test.queen", below=(1, 0))
    rewind = hold(root, make_member(project, Role.OPERATOR, "olga"), Choice.KEEP)
    child = AgentSession.objects.get(parent=root)
    for address in (f"/agents/{root.pk}/", f"/agents/{child.pk}/"):
        text = text_of(page.get(address)).split('id="holds"')[1]
        assert "<b>olga</b> has been rolling back" in text
        assert f'action="/rewinds/{rewind.pk}/go-on/"' in text
        shown = text_of(viewer_page.get(address))
        assert "has been rolling back" in shown
        assert "/go-on/" not in shown
    rewinds.fail(rewind.pk, "x")
    assert "has been rolling back" not in text_of(page.get(f"/agents/{root.pk}/"))


def test_somebody_else_finishes_it(page, session, project, trace):
    rewind = hold(session, make_member(project, Role.OPERATOR, "olga"))
    answer = page.post(f"/rewinds/{rewind.pk}/go-on/")
    assert answer.url == f"/agents/{session.pk}/"
    rewind.refresh_from_db()
    assert (rewind.status, effects(trace)) == (RewindStatus.DONE, [])


def test_it_is_given_up_and_told_in_the_events(page, session, project, approver, trace):
    rewind = hold(session, make_member(project, Role.OPERATOR, "olga"))
    page.post(f"/rewinds/{rewind.pk}/give-up/")
    events = text_of(page.get(f"/agents/{session.pk}/")).split('id="happened"')[1]
    assert "<b>olga</b> could not roll back <b>Mission</b>" in events
    assert f"Given up by {approver.get_username()}." in events
    assert len(effects(trace)) == 3


def test_one_that_fails_says_what_was_undone_and_what_is_left(page, session, approver, monkeypatch):
    rewind = hold(session, approver)

    def fail(caller, arguments):
        raise OSError("disk gone")

    run_tool(monkeypatch, "wipe_trace", fail)
    answer = page.post(f"/rewinds/{rewind.pk}/go-on/")
    panel = text_of(answer).split('id="conflict"')[1].split("</section>")[0]
    assert answer.status_code == 409
    assert [panel.count(word) for word in ("Failed", "Not tried")] == [1, 2]
    assert "disk gone" in panel


def test_a_rewind_under_way_keeps_others_out_and_says_who_is_at_it(page, session, project):
    hold(session, make_member(project, Role.OPERATOR, "olga"))
    sent = {"at": str(start_of(session)), "seen": str(head(session)), "rewind": str(new_id()), "do": "it"}
    sent |= {f"effect-{call}": "keep" for call in choosing(session, start_of(session))}
    for kind in ("fork", "replay", "rollback"):
        answer = page.post(f"/agents/{session.pk}/{kind}/", sent)
        assert answer.status_code == 409
        assert "olga rewinds Mission at the moment." in text_of(answer)


def test_viewers_and_strangers_end_nothing(viewer_page, stranger_page, page, session, approver):
    rewind = hold(session, approver)
    for verb in ("go-on", "give-up"):
        assert viewer_page.post(f"/rewinds/{rewind.pk}/{verb}/").status_code == 403
        assert stranger_page.post(f"/rewinds/{rewind.pk}/{verb}/").status_code == 404
        assert page.post(f"/rewinds/{new_id()}/{verb}/").status_code == 404
        assert page.get(f"/rewinds/{rewind.pk}/{verb}/").status_code == 405
    rewind.refresh_from_db()
    assert rewind.status == RewindStatus.OPEN


def test_a_call_of_which_nobody_knows_is_marked_so(page, project, approver, session):
    ToolExecution.objects.filter(call_key="use1").update(status=ExecutionStatus.RUNNING, completed_at=None)
    text = text_of(page.get(f"/agents/{session.pk}/replay/?at={start_of(session)}"))
    assert text.count("Nobody knows whether it happened") == 1
    assert "The agent asks you whether it happened" in text


def test_the_pages_of_a_forked_mission_show_what_it_reads(page, session, approver):
    MissionSource.objects.create(
        project=session.project, user=approver, session=session, name="notes.md", media_type="text/markdown",
        origin=SourceOrigin.UPLOAD, sha256="a", size_bytes=5, text="words", words=1,
    )  # fmt: skip
    made = fork(session, start_of(session))
    for tab in ("activity", "messages", "tools", "sources", "result"):
        assert page.get(f"/missions/{made.pk}/?tab={tab}").status_code == 200
    assert "notes.md" in text_of(page.get(f"/missions/{made.pk}/?tab=sources"))
    assert "was forked from" in text_of(page.get(f"/missions/{made.pk}/?tab=activity"))
    again = fork(made, head(made))
    assert "notes.md" in text_of(page.get(f"/missions/{again.pk}/?tab=sources"))
    assert str(made.pk) in text_of(page.get("/missions/"))


def test_a_fork_below_stands_in_the_tree_of_its_mission_with_a_mark(page, project, approver, trace):
    root = make_agent(project, approver, "test.queen", below=(1, 1, 1))
    worker = AgentSession.objects.get(level=Level.WORKER)
    made = fork(worker, start_of(worker))
    row = text_of(page.get(f"/missions/{root.pk}/")).split(f'id="agent-{made.pk}"')[1].split("</svg></div>")[0]
    assert "Worker, a fork" in row
