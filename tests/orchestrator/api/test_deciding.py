"""What programs do: decide, take back, give to others. Each is what the page's button does."""

import threading
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from langgraph.types import Interrupt

from agents.actor import SYSTEM
from agents.events.digests import digest
from agents.graphs.ports import Limits
from agents.lifecycle import Risk, SessionStatus, WaitKind
from agents.models import AgentEvent, Approval, AuditEntry, SessionWait
from agents.roles import Role
from agents.services import budgets, sessions, spending
from orchestrator.runtime.foreign import ask_people
from tests.agents import desk
from tests.factories import make_member, make_mission
from tests.orchestrator.api.conftest import REPORT, Program
from tests.orchestrator.web.conftest import signed_in
from tests.orchestrator.web.situations import ask, run

pytestmark = pytest.mark.django_db


def test_approving_takes_the_proposal(program, approval):
    answer = program.decide(approval)
    told = answer.json()
    assert answer.status_code == 200
    assert (told["status"], told["version"], told["effective"], told["edited"]) == ("approved", 2, REPORT, None)
    assert told["decided_by"] == {"id": str(program.user.pk), "name": "mara"}
    assert told["effective_digest"] == told["proposed_digest"]
    assert told["dispatched_at"] is not None


def test_an_edit_is_what_counts(program, approval):
    edited = {**REPORT, "file_name": "other.md"}
    told = program.decide(approval, arguments=edited).json()
    assert (told["proposed"], told["edited"], told["effective"]) == (REPORT, edited, edited)


def test_a_bad_edit_is_refused_beside_its_name_and_decides_nothing(program, approval):
    answer = program.decide(approval, arguments={**REPORT, "file_name": "../evil.md"})
    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == ["file_name"]
    assert Approval.objects.get().status == "pending"


def test_a_rejection_needs_a_reason(program, approval):
    assert list(program.decide(approval, "reject").json()["fields"]) == ["reason"]
    told = program.decide(approval, "reject", reason="Not yet.").json()
    assert (told["status"], told["reason"]) == ("rejected", "Not yet.")


@pytest.mark.parametrize("verdict", ["respond", "again"])
def test_a_verdict_that_was_not_asked_for_decides_nothing(program, approval, verdict):
    answer = program.decide(approval, verdict, reason="So")
    assert answer.status_code == 422
    assert Approval.objects.get().status == "pending"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["verdict", "version"]),
        ({"verdict": "yes", "version": 1}, ["verdict"]),
        ({"verdict": "approve", "version": "1"}, ["version"]),
        ({"verdict": "approve", "version": True}, ["version"]),
        ({"verdict": "approve", "version": 1.0}, ["version"]),
        ({"verdict": "approve", "version": 2**31}, ["version"]),
        ({"verdict": "approve", "version": None}, ["version"]),
        ({"verdict": "approve", "version": 1, "arguments": [1]}, ["arguments"]),
        ({"verdict": "approve", "version": 1, "arguments": "{}"}, ["arguments"]),
        ({"verdict": "approve", "version": 1, "reason": 5}, ["reason"]),
        ({"verdict": "approve", "version": 1, "reason": "a\0b"}, ["reason"]),
        ({"verdict": "approve", "version": 1, "arguments": {"a": ["\0"]}}, ["arguments"]),
        ({"verdict": "approve", "version": 1, "argument": {}}, ["argument"]),
        ({"verdict": "approve", "version": 1, "user": "noor"}, ["user"]),
        ({"verdict": "approve", "version": 1, "key": "k" * 101}, ["key"]),
        ({"verdict": "approve", "version": 1, "answer": 5}, ["answer"]),
        ({"verdict": "approve", "version": 1, "tool": ["pay"]}, ["tool"]),
        ([], [""]),
        ("null", [""]),
        ('"text"', [""]),
    ],
)
def test_what_does_not_fit_is_refused_beside_its_name(program, approval, body, fields):
    answer = program.post(f"/approvals/{approval.pk}/decide", body)
    told = answer.json()
    assert answer.status_code == 422
    assert (told["code"], sorted(told["fields"])) == ("invalid_input", fields)
    assert Approval.objects.get().status == "pending"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff",
        b"\x00",
        b'{"verdict": "approve", "version": NaN}',
        b'{"verdict": "approve", "version": 1e999}',
        b'{"verdict": "approve", "version": 1, "arguments": {"a": 1e20}}',
        b'{"verdict": "approve", "version": 1, "arguments": {"a": 99999999999999999999999}}',
        b'{"verdict": "approve", "version": 1, "version": 1}',
        b'{"verdict": "approve", "version": 1, "reason": "\\ud800"}',
        b'{"verdict": "approve", "version": 1, "arguments": {"a": ' + b"[" * 300 + b"]" * 300 + b"}}",
        b"[" * 100_000,
    ],
)
def test_json_that_would_not_come_back_as_it_was_sent_is_malformed(program, approval, text):
    answer = program.post(f"/approvals/{approval.pk}/decide", text)
    assert answer.status_code == (400 if text else 422)
    assert answer.json()["code"] == ("malformed" if text else "invalid_input")
    assert answer.json()["message"]
    assert Approval.objects.get().status == "pending"


def test_a_body_of_a_form_is_malformed_and_one_that_is_too_big_is_said_to_be(program, approval, settings):
    path = f"/api/v1/approvals/{approval.pk}/decide"
    form = {"verdict": "approve", "version": "1"}
    assert program.client.post(path, form, headers=program.headers).json()["code"] == "malformed"
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = program.decide(approval, reason="x" * 2000)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_big")
    assert Approval.objects.get().status == "pending"


def test_the_second_of_two_with_the_same_version_is_told_who_was_first(program, other, approval):
    edited = {**REPORT, "file_name": "noors.md"}
    assert other.decide(approval, arguments=edited).status_code == 200
    answer = program.decide(approval)
    told = answer.json()
    assert answer.status_code == 409
    assert (told["code"], told["message"]) == ("already_decided", "Approved by noor.")
    conflict = told["conflict"]
    assert conflict.pop("decided_at")
    assert conflict == {"status": "approved", "version": 2, "decided_by": "noor"}
    assert Approval.objects.get().effective == edited


def test_an_old_version_is_told_the_present_one(program, approval):
    Approval.objects.update(version=4)
    answer = program.decide(approval)
    assert (answer.status_code, answer.json()["code"]) == (409, "stale_version")
    assert answer.json()["conflict"] == {"status": "pending", "version": 4, "decided_by": "", "decided_at": None}
    assert program.decide(approval, version=4).status_code == 200


@pytest.mark.parametrize("in_header", [False, True])
def test_the_same_attempt_twice_is_one_decision(program, approval, in_header):
    body = {"verdict": "approve", "version": 1, **({} if in_header else {"key": "one"})}
    headers = {"Idempotency-Key": "one"} if in_header else {}
    path = f"/approvals/{approval.pk}/decide"
    first, second = program.post(path, body, **headers), program.post(path, body, **headers)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert AuditEntry.objects.filter(action="approval.approve").count() == 1
    assert program.post(path, {**body, "arguments": {**REPORT, "title": "Other"}}, **headers).status_code == 409


def test_the_key_of_header_and_body_in_one_attempt_are_the_same(program, approval):
    body = {"verdict": "approve", "version": 1, "key": "one"}
    path = f"/approvals/{approval.pk}/decide"
    assert program.post(path, body, **{"Idempotency-Key": "two"}).json()["fields"].keys() == {"key"}
    assert program.post(path, {**body, "key": ""}, **{"Idempotency-Key": "k" * 101}).status_code == 422
    assert Approval.objects.get().status == "pending"
    assert program.post(path, body, **{"Idempotency-Key": "one"}).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_many_programs_at_once_one_decides_and_all_read_who(program, project):
    approval = ask(make_mission(project))
    programs = [program, *(Program(make_member(project, Role.APPROVER)) for _ in range(3))]
    barrier, answers = threading.Barrier(4), []

    def press(one):
        barrier.wait()
        answers.append(one.decide(approval))
        connection.close()

    threads = [threading.Thread(target=press, args=[one]) for one in programs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.status_code for one in answers) == [200, 409, 409, 409]
    winner = next(one.json()["decided_by"]["name"] for one in answers if one.status_code == 200)
    assert {one.json()["conflict"]["decided_by"] for one in answers if one.status_code == 409} == {winner}


@pytest.mark.parametrize(("role", "status"), [(Role.VIEWER, 403), (Role.OPERATOR, 403), (None, 404)])
@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("decide", {"verdict": "approve", "version": 1}),
        ("undo", {}),
        ("assign", {"role": "admin"}),
    ],
)
def test_who_may_not_is_refused(project, approval, role, status, act, body):
    user = make_member(project, role) if role else desk.request().session.user
    answer = Program(user).post(f"/approvals/{approval.pk}/{act}", body)
    assert answer.status_code == status
    assert answer.json()["code"] == {403: "forbidden", 404: "not_found"}[status]
    approval.refresh_from_db()
    assert (approval.status, approval.assigned_role) == ("pending", "approver")


# --- questions, doubts, budgets


def foreign(project, value, schema=None):
    """A graph that knows nothing of Queenright asks."""
    with transaction.atomic():
        locked = run(make_mission(project))
        (approval, *_) = ask_people(locked, Interrupt(value=value, id="i1", response_schema=schema))
        sessions.move(locked, SessionStatus.WAITING_APPROVAL, actor=SYSTEM)
    return approval


SCHEMA = {"type": "object", "properties": {"cents": {"type": "integer"}}, "required": ["cents"]}


def test_an_answer_keeps_its_types_and_is_held_against_its_schema(program, project):
    approval = foreign(project, {"question": "How much?"}, SCHEMA)
    told = program.get(f"/approvals/{approval.pk}").json()
    assert (told["answer_schema"], told["argument_schema"], told["allowed"]) == (SCHEMA, None, ["respond"])
    for bad in ({"cents": "12"}, {"cents": 1.5}, [], None):
        assert program.decide(approval, "respond", answer=bad).status_code == 422
    assert list(program.decide(approval, "respond", answer={"cents": "12"}).json()["fields"]) == ["cents"]
    assert list(program.decide(approval, "respond", arguments={"cents": 12}).json()["fields"]) == ["arguments"]
    assert program.decide(approval, "respond", answer={"cents": 12}).json()["effective"] == {"answer": {"cents": 12}}


def test_a_question_without_a_schema_wants_an_answer(program, project):
    approval = foreign(project, "How are you?")
    assert program.decide(approval, "respond").json()["fields"] == {"answer": "Give an answer."}
    assert program.decide(approval, "respond", answer=0).json()["effective"] == {"answer": 0}


@pytest.mark.parametrize("verdict", ["again", "done"])
def test_no_other_verdict_carries_an_edit_past_schema_and_policy(program, project, verdict):
    approval = foreign(
        project,
        {
            "action_requests": [{"name": "pay", "args": {"cents": 5}}],
            "review_configs": [{"action_name": "pay", "allowed_decisions": ["approve", "edit", "reject"]}],
        },
    )
    assert program.decide(approval, verdict, arguments={"cents": 500_000}).status_code == 422
    approval.refresh_from_db()
    assert (approval.status, approval.effective) == ("pending", None)


def test_a_call_of_a_graph_is_answered_in_words(program, project):
    call = {"type": "tool_approval", "tool_call_id": "c1", "name": "pay", "args": {"cents": 5}, "description": "Pay"}
    approval = foreign(project, call)
    assert list(program.decide(approval, "respond").json()["fields"]) == ["reason"]
    assert program.decide(approval, "respond", reason="Ask me tomorrow").status_code == 200
    assert SessionWait.objects.get().answer["value"] == {"type": "respond", "message": "Ask me tomorrow"}


@pytest.mark.parametrize("number", [2.0, 1e-7, 1e16, 1e17, -1e18, 2**63 - 1, -(2**63), 12345678901234567, -0.0, 0.1])
def test_odd_numbers_are_approved_as_they_were_sent_and_keep_their_digest(program, project, number):
    call = {"type": "tool_approval", "tool_call_id": "c1", "name": "pay", "args": {"cents": 5}, "description": "Pay"}
    approval = foreign(project, call)
    told = program.decide(approval, arguments={"cents": number}, key="one")
    assert (told.status_code, told.json()["effective"]) == (200, {"cents": number})
    assert program.decide(approval, arguments={"cents": number}, key="one").status_code == 200
    approval.refresh_from_db()
    assert digest(approval.effective) == approval.effective_digest == told.json()["effective_digest"]


def test_what_may_have_happened_is_taken_as_done(program, project):
    approval = ask(make_mission(project), kind=WaitKind.UNCERTAIN)
    assert program.decide(approval).status_code == 422
    assert program.decide(approval, "done").json()["status"] == "approved"


@pytest.fixture
def used_up(project):
    """Somebody is asked to raise a budget."""
    mission = make_mission(project)
    with transaction.atomic():
        budgets.set_limits(sessions.lock(mission.pk), Limits(steps=10, cost=Decimal("1.5")), actor=SYSTEM)
    spending.count(mission.pk, steps=10)
    run(mission)
    with transaction.atomic():
        locked = sessions.lock(mission.pk)
        budgets.park(locked, budgets.used_up(locked))
    return Approval.objects.get()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"steps": 10}, "steps"),
        ({"steps": [20]}, "steps"),
        ({"steps": None}, "steps"),
        ({"steps": True}, "steps"),
        ({"steps": 20.5}, "steps"),
        ({"steps": "nonsense"}, "steps"),
        ({"steps": 2**63}, "steps"),
        ({"cost": {"a": 1}}, "cost"),
        ({"cost": "NaN"}, "cost"),
        ({"cost": "Infinity"}, "cost"),
        ({"cost": 1e9}, "cost"),
        ({"cost": True}, "cost"),
        ({"tokens": 5}, "tokens"),
    ],
)
def test_a_budget_that_is_no_number_is_refused_beside_its_name(program, used_up, given, field):
    answer = program.decide(used_up, arguments={**used_up.proposed, **given})
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])
    assert Approval.objects.get().status == "pending"


def test_a_budget_is_raised_to_the_numbers_that_were_sent(program, used_up):
    assert program.decide(used_up, arguments={"steps": 20, "cost": 2.5}).status_code == 200
    budget = used_up.session.budget
    assert (budget.steps, budget.cost) == (20, Decimal("2.5"))


@pytest.mark.parametrize("given", [None, {}, {"advice": 5}, {"advice": " "}, {"advice": "So", "and": "so"}])
def test_advice_is_words_and_nothing_else(program, project, given):
    mission = run(make_mission(project))
    asked = desk.asked(kind=WaitKind.REPLY, tool_name="escalation", proposed={"advice": ""}, risk=Risk.LOW)
    (approval,) = desk.put(mission, asked, kind=WaitKind.REPLY)
    answer = program.decide(approval, arguments=given)
    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == ["and" if given and "and" in given else "advice"]


# --- taking back, giving to others


def test_a_decision_of_low_risk_is_taken_back(program, other, project):
    approval = ask(make_mission(project), risk=Risk.LOW)
    told = program.decide(approval).json()
    assert told["dispatched_at"] is None and told["effective_at"]
    assert other.post(f"/approvals/{approval.pk}/undo").status_code == 403
    undone = program.post(f"/approvals/{approval.pk}/undo")
    assert (undone.status_code, undone.json()["status"], undone.json()["version"]) == (200, "pending", 3)
    again = program.post(f"/approvals/{approval.pk}/undo")
    assert (again.status_code, again.json()["code"]) == (409, "too_late")
    assert again.json()["conflict"]["version"] == 3


def test_what_the_agent_was_told_is_not_taken_back(program, approval):
    program.decide(approval)
    answer = program.post(f"/approvals/{approval.pk}/undo")
    assert (answer.status_code, answer.json()["message"]) == (409, "The agent has been told already.")


def test_a_request_is_given_to_one_person(program, other, approval):
    path = f"/approvals/{approval.pk}/assign"
    given = program.post(path, {"role": "approver", "to": str(other.user.pk)})
    assert given.json()["assigned_to"] == {"id": str(other.user.pk), "name": "noor"}
    assert program.decide(approval).json()["message"] == "This is for noor."
    assert program.post(path, {"role": "approver", "to": str(uuid4())}).json()["fields"].keys() == {"to"}
    assert program.post(path, {"role": "queen"}).json()["fields"].keys() == {"role"}
    assert program.post(path, {"role": "approver", "to": 5}).json()["fields"].keys() == {"to"}
    assert other.decide(approval).status_code == 200
    assert program.post(path, {"role": "approver"}).json()["conflict"]["decided_by"] == "noor"


# --- many at once


def many(program, *approvals, verdict="approve", **fields):
    wanted = [{"id": str(one.pk), "version": one.version} for one in approvals]
    return program.post("/approvals/decide", {"requests": wanted, "verdict": verdict, **fields})


def test_many_are_decided_each_with_an_outcome_of_its_own(program, other, project):
    done, changed, taken, own, counted = (ask(make_mission(project)) for _ in range(5))
    theirs = desk.request()
    Approval.objects.filter(pk=changed.pk).update(version=2)
    other.decide(taken)
    Approval.objects.filter(pk=own.pk).update(assigned_to=other.user)
    Approval.objects.filter(pk=counted.pk).update(terms={**counted.terms, "people": 2})
    told = many(program, done, changed, taken, own, counted, theirs).json()
    assert [one["result"] for one in told["outcomes"]] == ["done", "changed", "taken", "refused", "counted", "refused"]
    wanted = [done, changed, taken, own, counted, theirs]
    assert [one["id"] for one in told["outcomes"]] == [str(one.pk) for one in wanted]
    assert told["outcomes"][2]["why"] == "Approved by noor."
    assert told["outcomes"][3]["why"] == "This is for noor."
    assert told["outcomes"][5]["title"] == "A request"
    assert told["counts"] == {"done": 1, "changed": 1, "taken": 1, "refused": 2, "counted": 1}


def test_the_same_attempt_for_many_again_changes_nothing(program, project):
    wanted = [ask(make_mission(project)) for _ in range(3)]
    first, second = many(program, *wanted, key="one"), many(program, *wanted, key="one")
    assert first.json() == second.json()
    assert first.json()["counts"] == {"done": 3}
    assert set(Approval.objects.values_list("version", flat=True)) == {2}


@pytest.mark.parametrize("number", [0, 501])
def test_none_or_too_many_are_refused(program, project, number):
    wanted = [{"id": str(uuid4()), "version": 1} for _ in range(number)]
    answer = program.post("/approvals/decide", {"requests": wanted, "verdict": "approve"})
    assert (answer.status_code, answer.json()["message"]) == (422, "Choose 1 to 500 requests.")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"verdict": "respond"}, "verdict"),
        ({"verdict": "reject"}, "reason"),
        ({"requests": [{"id": "nonsense", "version": 1}]}, "requests.0.id"),
        ({"requests": [{"id": str(uuid4())}]}, "requests.0.version"),
        ({"requests": [{"id": str(uuid4()), "version": 1, "arguments": {}}]}, "requests.0.arguments"),
        ({"requests": [{"id": str(UUID(int=1)), "version": version} for version in (1, 2)]}, "requests"),
        ({"arguments": {}}, "arguments"),
    ],
)
def test_many_are_refused_with_what_does_not_fit(program, approval, change, field):
    wanted = [{"id": str(approval.pk), "version": 1}]
    answer = program.post("/approvals/decide", {"requests": wanted, "verdict": "approve", **change})
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])
    assert Approval.objects.get().status == "pending"


# --- the same door as the page's


def traces(approval) -> tuple[list, list]:
    """Events and audit of a request, without what differs between any two."""
    events = AgentEvent.objects.filter(aggregate_id__in=[approval.pk, approval.session_id]).order_by("position")
    audit = AuditEntry.objects.filter(target_id=approval.pk).order_by("audit_id")
    actors = [one.metadata["actor"].replace(str(approval.session_id), "it") for one in events]
    return (
        [(one.event_type, sorted(one.event_data), actor) for one, actor in zip(events, actors, strict=True)],
        [(one.action, one.user_id, {**one.detail, "token": None}) for one in audit],
    )


def test_program_and_page_leave_the_same_events_and_audit(program, project, approver):
    by_page, by_program = ask(make_mission(project)), ask(make_mission(project))
    page = signed_in(approver)
    page.get(f"/approvals/{by_page.pk}/")
    form = {f"arg-{name}": value for name, value in {**REPORT, "title": "Other"}.items()}
    assert (
        page.post(f"/approvals/{by_page.pk}/decide/", {"verdict": "approve", "version": 1, **form}).status_code == 302
    )
    program.get(f"/approvals/{by_program.pk}")
    assert program.decide(by_program, arguments={**REPORT, "title": "Other"}).status_code == 200
    assert len(traces(by_page)[0]) > 3
    assert traces(by_page) == traces(by_program)


def test_the_audit_says_with_which_token_it_was(program, project, approver):
    by_page, by_program = ask(make_mission(project)), ask(make_mission(project))
    program.decide(by_program)
    signed_in(approver).post(f"/approvals/{by_page.pk}/decide/", {"verdict": "reject", "version": 1, "reason": "No"})
    found = {one.target_id: one.detail.get("token") for one in AuditEntry.objects.filter(target_type="approval")}
    assert found == {by_page.pk: None, by_program.pk: str(program.token.pk)}


def test_the_audit_of_many_and_of_what_was_taken_back_says_it_too(program, project):
    low, other = ask(make_mission(project), risk=Risk.LOW), ask(make_mission(project))
    many(program, low, other)
    program.post(f"/approvals/{low.pk}/undo")
    program.post(f"/approvals/{low.pk}/assign", {"role": "admin"})
    found = AuditEntry.objects.filter(target_type="approval").values_list("action", "detail__token")
    acts = ["approval.approve", "approval.approve", "approval.assign", "approval.undo"]
    assert sorted(found) == [(act, str(program.token.pk)) for act in acts]


def test_page_and_program_leave_the_same_for_many(program, project, approver):
    by_page, by_program = ask(make_mission(project)), ask(make_mission(project))
    form = {"pick": [f"{by_page.pk}:1"], "verdict": "reject", "reason": "No"}
    signed_in(approver).post("/approvals/bulk/", form)
    assert many(program, by_program, verdict="reject", reason="No").json()["counts"] == {"done": 1}
    assert traces(by_page) == traces(by_program)
