"""Deciding in the browser: one wins, the other is told, nothing that was typed is lost."""

import re
import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from langgraph.types import Interrupt

from agents.actor import SYSTEM
from agents.lifecycle import Risk, SessionStatus, WaitKind
from agents.models import AgentSession, Approval, SessionWait
from agents.roles import Role
from agents.services import decisions, sessions
from orchestrator.runtime.foreign import ask_people
from tests.agents.desk import pass_time
from tests.factories import make_member, make_mission
from tests.orchestrator.web.conftest import signed_in
from tests.orchestrator.web.situations import REPORT, ask, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def mission(project, approver):
    return make_mission(project, approver)


@pytest.fixture
def approval(mission):
    return ask(mission)


def decide(client, approval, verdict="approve", **fields):
    form = {"verdict": verdict, "version": 1, **{f"arg-{name}": value for name, value in REPORT.items()}, **fields}
    return client.post(f"/approvals/{approval.pk}/decide/", form)


def test_the_request_shows_in_order_risk_intent_goals_arguments_effects_and_buttons(page, approval):
    text = page.get(f"/approvals/{approval.pk}/").content.decode()
    main = text[text.index("pane-req") :]
    places = [main.index(words) for words in (
        "Medium risk", "I want to publish.", "This action", 'id="arg-file_name"', "What it will do",
        "Nothing stands in the way", 'value="approve"',
    )]  # fmt: skip
    assert places == sorted(places)


def test_approving_takes_the_proposal_to_the_letter_and_goes_on_to_the_next(page, mission, approver, project):
    first = ask(mission, proposed={**REPORT, "content": "One\r\nTwo\rThree\n"})
    second = ask(make_mission(project, approver))
    answer = decide(page, first, **{"arg-content": "One\r\nTwo\r\nThree\r\n"})  # as browsers send a text
    first.refresh_from_db()
    assert (first.status, first.edited) == ("approved", None)
    assert first.effective["content"] == "One\r\nTwo\rThree\n"
    assert answer["Location"] == f"/approvals/{second.pk}/"
    text = page.get(answer["Location"]).content.decode()
    assert "Approved: Publish a report" in text
    assert re.search(r"<h1[^>]*autofocus", text)


def test_an_edit_is_what_runs(page, approval):
    decide(page, approval, **{"arg-file_name": "other.md"})
    approval.refresh_from_db()
    assert approval.effective == {**REPORT, "file_name": "other.md"}
    assert approval.edited == approval.effective
    assert approval.proposed == REPORT


@pytest.mark.parametrize("name", ["../evil.md", "a/b.md", "report", "", ".md"])
def test_a_bad_edit_is_marked_at_its_field_and_everything_typed_is_kept(page, approval, name):
    answer = decide(page, approval, **{"arg-file_name": name, "arg-title": "My title"})
    text = answer.content.decode()
    assert answer.status_code == 422
    assert re.search(r'id="arg-file_name"[^>]*aria-invalid="true"', text)
    assert 'value="My title"' in text
    assert "Not decided yet" in text
    assert f'data-from="/approvals/{approval.pk}/"' in text  # where its parts are, for this address takes no GET
    assert Approval.objects.get().status == "pending"


def test_rejecting_needs_a_reason_and_keeps_it(page, approval):
    assert decide(page, approval, "reject", reason="  ").status_code == 422
    assert Approval.objects.get().status == "pending"
    decide(page, approval, "reject", reason="Not yet.")
    approval.refresh_from_db()
    assert (approval.status, approval.reason) == ("rejected", "Not yet.")


@pytest.mark.parametrize("verdict", ["", "again", "nonsense"])
def test_a_verdict_that_was_not_asked_for_decides_nothing(page, approval, verdict):
    assert decide(page, approval, verdict).status_code == 422
    assert Approval.objects.get().status == "pending"


@pytest.mark.parametrize("version", ["", "0", "2", "-1", "x", "9" * 30, pytest.param("9" * 5000, id="long")])
def test_a_version_that_is_not_the_current_one_decides_nothing(page, approval, version):
    answer = decide(page, approval, version=version)
    assert answer.status_code == 409
    assert "has changed since you opened it" in answer.content.decode()
    assert Approval.objects.get().status == "pending"


def test_the_loser_reads_who_won_and_keeps_their_own_edits(project, page, approval):
    other = signed_in(make_member(project, Role.APPROVER, "noor"))
    decide(other, approval, **{"arg-file_name": "noors.md"})
    answer = decide(page, approval, **{"arg-file_name": "mine.md"})
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "Approved with 1 edit by noor" in text
    assert 'value="mine.md"' in text
    assert re.search(r"report\.md</td>.*mine\.md</td>.*noors\.md", text, re.S)
    assert re.search(r'<section class="conflict"[^>]*autofocus', text)
    assert 'form="decision" name="verdict"' not in text
    assert Approval.objects.get().effective["file_name"] == "noors.md"


def test_a_rejection_tells_the_loser_its_reason(project, page, approval):
    decide(signed_in(make_member(project, Role.APPROVER, "noor")), approval, "reject", reason="Split it.")
    text = decide(page, approval).content.decode()
    assert "Rejected by noor" in text
    assert "Split it." in text


def test_a_double_click_is_one_decision(page, approval):
    text = page.get(f"/approvals/{approval.pk}/").content.decode()
    key = re.search(r'name="key" value="([^"]+)"', text)[1]
    assert decide(page, approval, key=key).status_code == 302
    assert decide(page, approval, key=key).status_code == 302
    assert Approval.objects.get().version == 2
    assert decide(page, approval, key=key, **{"arg-file_name": "other.md"}).status_code == 409


def test_the_same_person_with_other_arguments_is_told_that_the_first_ones_count(page, approval):
    decide(page, approval)
    assert decide(page, approval, **{"arg-file_name": "other.md"}).status_code == 409


def test_the_same_person_who_changes_their_mind_is_told(page, approval):
    decide(page, approval)
    assert decide(page, approval, "reject", reason="No.").status_code == 409


@pytest.mark.django_db(transaction=True)
def test_of_two_people_at_once_one_wins_and_the_other_is_told(project, mission, approval):
    clients = [signed_in(make_member(project, Role.APPROVER, name)) for name in ("mara", "noor")]
    barrier, answers = threading.Barrier(2), {}

    def press(number, client):
        from django.db import connection

        barrier.wait(20)
        answers[number] = decide(client, approval, **{"arg-file_name": f"{number}.md"})
        connection.close()

    threads = [threading.Thread(target=press, args=pair) for pair in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answer.status_code for answer in answers.values()) == [302, 409]
    winner = next(number for number, answer in answers.items() if answer.status_code == 302)
    assert Approval.objects.get().effective["file_name"] == f"{winner}.md"
    assert AgentSession.objects.get().status == "queued"


def test_a_decided_request_stays_readable_and_closed(page, approval):
    decide(page, approval, "reject", reason="Not yet.")
    text = page.get(f"/approvals/{approval.pk}/").content.decode()
    assert "This request is closed" in text
    assert "Not yet." in text
    assert 'form="decision" name="verdict"' not in text


def test_high_risk_repeats_its_effect_before_it_is_approved(page, mission):
    approval = ask(mission, risk=Risk.HIGH)
    text = page.get(f"/approvals/{approval.pk}/").content.decode()
    bar = text[text.index('id="decide"') : text.index('id="reject"')]
    assert 'form="decision" name="verdict"' not in bar
    assert 'popovertarget="confirm"' in bar
    assert "Writes one file" in text[text.index('id="confirm"') :]


def test_a_call_in_doubt_is_answered_with_its_own_words(page, mission):
    approval = ask(mission, kind=WaitKind.UNCERTAIN)
    text = page.get(f"/approvals/{approval.pk}/").content.decode()
    assert "Run again" in text and "Take as done" in text and "Stop the agent" in text
    assert re.search(r'id="arg-file_name"[^>]*readonly', text)
    page.post(f"/approvals/{approval.pk}/decide/", {"verdict": "done", "version": 1})
    approval.refresh_from_db()
    assert (approval.verdict, approval.edited) == ("done", None)


def test_the_list_filters_by_its_address(project, page, approver, approval):
    theirs = ask(make_mission(project, make_member(project)), risk=Risk.HIGH)

    def listed(query):
        text = page.get(f"/approvals/{query}").content.decode()
        return set(re.findall(r'id="request-([0-9a-f-]+)"', text))

    both = {str(approval.pk), str(theirs.pk)}
    assert listed("") == both
    assert listed("?who=mine") == {str(approval.pk)}
    assert listed("?risk=high") == {str(theirs.pk)}
    assert listed("?risk=high&who=mine") == set()
    assert listed("?tool=publish_report") == both
    assert listed("?tool=nothing") == set()
    assert listed("?risk=nonsense") == both


def test_the_most_urgent_request_comes_first(page, approver, project, approval):
    high = ask(make_mission(project, approver), risk=Risk.HIGH)
    text = page.get("/approvals/").content.decode()
    assert text.index(f"request-{high.pk}") < text.index(f"request-{approval.pk}")


def test_deciding_stays_within_the_filters(page, project, approver, approval):
    high = [ask(make_mission(project, approver), risk=Risk.HIGH) for _ in range(2)]
    form = {"verdict": "approve", "version": 1}
    answer = page.post(f"/approvals/{high[0].pk}/decide/?risk=high", form)
    assert answer["Location"] == f"/approvals/{high[1].pk}/?risk=high"


def test_an_empty_list_says_what_is_going_on(page, project, approver):
    make_mission(project, approver)
    text = page.get("/approvals/").content.decode()
    assert "Nothing waits for you" in text
    assert "One mission is in flight" in text


def test_filters_that_leave_nothing_say_so(page, approval):
    assert "No request fits these filters" in page.get("/approvals/?risk=low").content.decode()


def test_live_regions_close_the_bar_but_never_touch_the_form(page, approval):
    answer = page.get(f"/approvals/{approval.pk}/?r=decide&r=verdict&r=request-{approval.pk}&r=rail-waits")
    text = answer.content.decode()
    assert re.findall(r' id="(decide|verdict|request-[^"]+|rail-waits)"', text) == [
        "decide", "verdict", f"request-{approval.pk}", "rail-waits",
    ]  # fmt: skip
    assert "arg-file_name" not in re.sub(r'href="#arg-file_name"', "", text)
    assert answer["Cache-Control"] == "no-store"


def test_what_is_shown_beside_the_list_stays_the_same_request_whatever_becomes_more_urgent(page, approval, mission):
    """An address without a request would answer with the parts of whichever comes first by then."""
    text = page.get("/approvals/?risk=medium").content.decode()
    assert f'<main id="main" tabindex="-1" class="flush" data-from="/approvals/{approval.pk}/?risk=medium"' in text


def test_the_page_takes_as_many_queries_for_many_requests_as_for_one(
    page, project, approver, approval, django_assert_max_num_queries
):
    page.get("/approvals/")
    with django_assert_max_num_queries(26) as one:
        page.get("/approvals/")
    for _ in range(12):
        ask(make_mission(project, approver))
    with django_assert_max_num_queries(len(one)):
        page.get("/approvals/")


# --- what can be taken back, what several decide, what graphs ask by themselves


def test_a_decision_of_low_risk_can_be_taken_back_from_the_next_page(page, mission):
    approval = ask(mission, risk=Risk.LOW)
    text = page.get(decide(page, approval)["Location"]).content.decode()
    assert "The agent is told in" in text
    undo = f"/approvals/{approval.pk}/undo/"
    assert f'action="{undo}"' in text
    assert page.post(undo)["Location"] == f"/approvals/{approval.pk}/"
    text = page.get(f"/approvals/{approval.pk}/").content.decode()
    assert "Taken back: Publish a report" in text
    assert 'value="approve"' in text
    assert "The agent is told in" not in text


def test_what_the_agent_was_told_cannot_be_taken_back(page, mission):
    approval = ask(mission)
    decide(page, approval)
    text = page.get(page.post(f"/approvals/{approval.pk}/undo/")["Location"]).content.decode()
    assert "The agent has been told already." in text
    assert Approval.objects.get().status == "approved"


def test_nobody_else_is_offered_to_take_it_back(page, mission, project):
    approval = ask(mission, risk=Risk.LOW)
    decide(page, approval)
    other = signed_in(make_member(project, Role.ADMIN))
    assert "undo/" not in other.get(f"/approvals/{approval.pk}/").content.decode()
    assert other.post(f"/approvals/{approval.pk}/undo/").status_code == 403


def test_the_first_of_two_approvals_counts_and_says_who_gave_it(page, mission, project, approver):
    approval = ask(mission)
    Approval.objects.update(terms={**approval.terms, "people": 2})
    decide(page, approval)
    assert Approval.objects.get().status == "pending"
    other = signed_in(make_member(project, Role.APPROVER))
    text = other.get(f"/approvals/{approval.pk}/").content.decode()
    assert "1 of 2 approvals." in text
    assert f"{approver.username} approved it as it was proposed" in text
    decide(other, approval)
    assert Approval.objects.get().status == "approved"


def test_who_may_not_decide_this_one_reads_why_and_is_refused(page, mission, approver):
    approval = ask(mission)
    Approval.objects.update(terms={**approval.terms, "not_own": True})
    text = page.get(f"/approvals/{approval.pk}/").content.decode()
    assert "Your own mission asks for this" in text
    assert 'form="decision" name="verdict"' not in text
    answer = decide(page, approval)
    assert answer.status_code == 403
    assert "Your own mission asks for this" in answer.content.decode()
    assert Approval.objects.get().status == "pending"


def test_a_countdown_says_what_happens_at_its_end(page, mission):
    approval = ask(mission)
    Approval.objects.update(deadline_at=approval.created_at + timedelta(hours=1))
    text = page.get(f"/approvals/{approval.pk}/").content.decode()
    assert re.search(r"<time[^>]*data-left>(59:5\d|1:00:00)</time> left", text)
    assert "then it is rejected" in text


def foreign(mission, value, schema=None):
    """A graph that knows nothing of Queenright asks."""
    with transaction.atomic():
        locked = run(mission)
        (approval, *_) = ask_people(locked, Interrupt(value=value, id="i1", response_schema=schema))
        sessions.move(locked, SessionStatus.WAITING_APPROVAL, actor=SYSTEM)
    return approval


def post(client, approval, **fields):
    return client.post(f"/approvals/{approval.pk}/decide/", {"version": 1, **fields})


def tell(approval):
    """Let the seconds pass in which the decision can be taken back."""
    pass_time(approval, 5)
    assert decisions.dispatch(approval.pk)


ASKED = {"question": "Which account?", "known": ["a", "b"]}
SCHEMA = {
    "type": "object",
    "properties": {"account": {"enum": ["a", "b"]}, "cents": {"type": "integer"}, "fast": {"type": "boolean"}},
    "required": ["account", "cents", "fast"],
}


def test_a_question_is_answered_by_a_form_made_from_its_schema_and_types_are_kept(page, mission):
    approval = foreign(mission, ASKED, SCHEMA)
    text = page.get(f"/approvals/{approval.pk}/").content.decode()
    assert "Which account?" in text
    assert 'id="arg-cents"' in text
    answer = post(page, approval, verdict="respond", **{"arg-account": "b", "arg-cents": "12"})
    assert answer.status_code == 302
    tell(approval)
    assert SessionWait.objects.get().answer["value"] == {"account": "b", "cents": 12, "fast": False}


@pytest.mark.parametrize("cents", ["", "a lot", "1.5"])
def test_an_answer_that_does_not_fit_its_schema_is_refused_and_kept(page, mission, cents):
    approval = foreign(mission, ASKED, SCHEMA)
    answer = post(page, approval, verdict="respond", **{"arg-account": "b", "arg-cents": cents})
    assert answer.status_code == 422
    assert "Not decided yet" in answer.content.decode()
    assert '<option value="b" selected>b</option>' in answer.content.decode()
    assert Approval.objects.get().status == "pending"


def test_a_question_without_a_schema_is_answered_in_words(page, mission):
    approval = foreign(mission, "How are you?")
    post(page, approval, verdict="respond", **{"arg-answer": "17"})
    tell(approval)
    approval.refresh_from_db()
    assert (approval.status, SessionWait.objects.get().answer["value"]) == ("answered", "17")
    assert "Answered" in page.get(f"/approvals/{approval.pk}/").content.decode()


CALL = {"type": "tool_approval", "tool_call_id": "c1", "name": "pay", "args": {"cents": 5}, "description": "Pay five"}


def test_a_call_of_a_graph_of_somebody_elses_is_answered_in_words(page, mission):
    approval = foreign(mission, CALL)
    assert "Answer in words?" in page.get(f"/approvals/{approval.pk}/").content.decode()
    assert post(page, approval, verdict="respond", words=" ").status_code == 422
    post(page, approval, verdict="respond", words="Ask me tomorrow")
    assert SessionWait.objects.get().answer["value"] == {"type": "respond", "message": "Ask me tomorrow"}


def test_its_arguments_are_edited_by_their_types(page, mission):
    approval = foreign(mission, CALL)
    post(page, approval, verdict="approve", **{"arg-cents": "4"})
    edited = {"type": "edit", "edited_action": {"name": "pay", "args": {"cents": 4}}}
    assert SessionWait.objects.get().answer["value"] == edited


# --- many at once


def bulk(client, *approvals, verdict="approve", **fields):
    picked = [f"{one.pk}:{one.version}" for one in approvals]
    return client.post("/approvals/bulk/", {"pick": picked, "verdict": verdict, **fields})


def test_many_are_decided_by_one_press_each_with_an_outcome(page, mission, project, approver):
    done, changed, taken, own, counted = (ask(make_mission(project, approver)) for _ in range(5))
    Approval.objects.filter(pk=changed.pk).update(version=2)
    decide(signed_in(make_member(project, Role.APPROVER, "noor")), taken)
    Approval.objects.filter(pk=own.pk).update(terms={**own.terms, "not_own": True})
    Approval.objects.filter(pk=counted.pk).update(terms={**counted.terms, "people": 2})
    text = bulk(page, done, changed, taken, own, counted).content.decode()
    assert (
        "1 done, 1 counted, and others must approve, too, 1 changed since you saw them, "
        "1 already decided by someone else, 1 not possible"
    ) in text
    assert "Approved by noor." in text
    assert "Your own mission asks for this" in text
    found = Approval.objects.in_bulk()
    assert [found[one.pk].status for one in (done, changed, own, counted)] == ["approved", *["pending"] * 3]


def test_many_are_rejected_with_one_reason(page, mission, project, approver):
    wanted = [ask(make_mission(project, approver)) for _ in range(3)]
    assert bulk(page, *wanted, verdict="reject").status_code == 302
    assert Approval.objects.filter(status="pending").count() == 3
    assert bulk(page, *wanted, verdict="reject", reason="Not today")["Location"] == "/approvals/"
    assert set(Approval.objects.values_list("status", "reason")) == {("rejected", "Not today")}


def test_the_same_press_for_many_again_changes_nothing(page, mission, project, approver):
    wanted = [ask(make_mission(project, approver)) for _ in range(3)]
    assert bulk(page, *wanted, key="press").status_code == 302
    assert bulk(page, *wanted, key="press").status_code == 302
    assert set(Approval.objects.values_list("version", flat=True)) == {2}


@pytest.mark.parametrize("picked", [":1", "nonsense", "{pk}:", "{pk}:2", "{pk}:{long}"])
def test_what_was_not_picked_from_a_page_decides_nothing(page, approval, picked):
    pick = picked.format(pk=approval.pk, long="9" * 5000)
    assert page.post("/approvals/bulk/", {"pick": [pick, pick], "verdict": "approve"}).status_code in (200, 404)
    assert Approval.objects.get().status == "pending"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"verdict": "reject", "reason": "a\0b"}, 422),
        ({"key": "a\0b"}, 422),
        ({"json": '{"title": ' + "[" * 300 + "]" * 300 + "}"}, 422),
        ({"tool": "a\0b"}, 422),
    ],
    ids=["reason", "key", "depth", "tool"],
)
def test_what_cannot_be_kept_is_said_on_the_page(page, approval, sent, status):
    assert decide(page, approval, **sent).status_code == status
    assert Approval.objects.get().status == "pending"
    assert bulk(page, approval, verdict="reject", reason="a\0b", key="a\0b").status_code == 302
    assert Approval.objects.get().status == "pending"


@pytest.mark.parametrize("verdict", ["", "respond", "again", "nonsense"])
def test_what_is_not_for_many_is_refused(page, approval, verdict):
    text = page.get(bulk(page, approval, verdict=verdict)["Location"]).content.decode()
    assert "can be approved or rejected" in text
    assert Approval.objects.get().status == "pending"


def test_nothing_or_too_much_is_refused(page, approval):
    assert "Choose 1 to 500 requests." in page.get(bulk(page)["Location"]).content.decode()
    many = {"pick": [f"{uuid4()}:1" for _ in range(501)], "verdict": "approve"}
    assert "Choose 1 to 500" in page.get(page.post("/approvals/bulk/", many)["Location"]).content.decode()


def test_what_is_not_there_or_somebody_elses_is_not_decided(page, approval):
    stranger = ask(make_mission())
    Approval.objects.filter(pk=stranger.pk).update(title="A secret")
    text = bulk(page, approval, stranger).content.decode()
    assert "1 done, 1 not possible" in text
    assert Approval.objects.get(pk=stranger.pk).status == "pending"
    assert "A secret" not in text
    assert page.post("/approvals/bulk/", {"pick": ["nonsense"], "verdict": "approve"}).status_code == 404


# --- filters, who looks, who takes it up


def titles(client, query) -> list[str]:
    text = client.get(f"/approvals/?{query}").content.decode()
    return re.findall(r'<li class="acard" id="request-[^"]+".*?<a href="[^"]+">([^<]+)</a>', text, re.DOTALL)


@pytest.fixture
def several(project, approver):
    """Requests that differ in all that can be filtered by; each is called by what it is."""
    made = {
        "mine": ask(make_mission(project, approver)),
        "low": ask(make_mission(project), risk=Risk.LOW),
        "due": ask(make_mission(project)),
        "old": ask(make_mission(project)),
        "pay": ask(make_mission(project)),
        "me": ask(make_mission(project)),
        "other agent": ask(make_mission(project, agent_type="test.three")),
    }
    hour = timedelta(hours=1)
    changes = {
        "due": {"deadline_at": made["due"].created_at + hour / 2},
        "old": {"created_at": made["old"].created_at - 25 * hour},
        "pay": {"tool_name": "pay"},
        "me": {"assigned_to": approver},
    }
    for name, one in made.items():
        Approval.objects.filter(pk=one.pk).update(title=name, **changes.get(name, {}))
    return made


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("who=mine", ["mine"]),
        ("who=me", ["me"]),
        ("risk=low", ["low"]),
        ("due=soon", ["due"]),
        ("age=hour", ["old"]),
        ("age=day", ["old"]),
        ("age=week", []),
        ("tool=pay", ["pay"]),
        ("agent=test.three", ["other agent"]),
        ("risk=low&tool=pay", []),
        ("risk=nonsense&age=nonsense&who=nonsense", ["due", "old", "mine", "pay", "me", "other agent", "low"]),
    ],
)
def test_the_list_shows_what_its_address_asks_for_the_most_urgent_first(page, several, query, found):
    assert titles(page, query) == found


def test_filters_say_how_many_they_leave_and_are_taken_away_where_they_are_set(page, several):
    text = page.get("/approvals/?risk=low").content.decode()
    assert re.search(r'<a class="chip" href="/approvals/" aria-current="true">Low risk 1</a>', text)
    assert re.search(r'<a class="chip" href="/approvals/\?risk=low&amp;tool=pay">pay 1</a>', text)
    assert re.search(r'<a class="chip" href="/approvals/">All 7</a>', text)


def test_a_decision_goes_on_within_the_filter(page, several):
    answer = page.post(
        f"/approvals/{several['pay'].pk}/decide/?tool=publish_report",
        {"verdict": "reject", "version": 1, "reason": "No"},
    )
    assert answer["Location"] == f"/approvals/{several['due'].pk}/?tool=publish_report"


def test_who_else_looks_is_shown(page, approval, project):
    noor = signed_in(make_member(project, Role.VIEWER, "noor"))
    assert "look" not in noor.get(f"/approvals/{approval.pk}/?r=presence").content.decode()
    assert "noor looks at this, too." in page.get(f"/approvals/{approval.pk}/?r=presence").content.decode()


def test_the_next_free_request_is_taken_up_and_others_read_by_whom(page, mission, project, approver):
    first, second = ask(mission), ask(make_mission(project))
    noor = signed_in(make_member(project, Role.APPROVER, "noor"))
    assert noor.post("/approvals/next/")["Location"] == f"/approvals/{first.pk}/"
    assert page.post("/approvals/next/")["Location"] == f"/approvals/{second.pk}/"
    assert "noor has taken it up." in page.get(f"/approvals/{first.pk}/").content.decode()
    third = signed_in(make_member(project, Role.APPROVER))
    assert third.post("/approvals/next/")["Location"] == "/approvals/"
    assert "Somebody is on each of these already." in third.get("/approvals/").content.decode()
    assert decide(page, first).status_code == 302
    assert signed_in(make_member(project, Role.OPERATOR)).post("/approvals/next/").status_code == 403
