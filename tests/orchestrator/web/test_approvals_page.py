"""Deciding in the browser: one wins, the other is told, nothing that was typed is lost."""

import re
import threading

import pytest

from agents.lifecycle import Risk, WaitKind
from agents.models import AgentSession, Approval
from agents.roles import Role
from tests.factories import make_member, make_mission
from tests.orchestrator.web.conftest import signed_in
from tests.orchestrator.web.situations import REPORT, ask

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
    assert f'data-live="/approvals/{approval.pk}/"' in text  # where its parts are, for this address takes no GET
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


@pytest.mark.parametrize("version", ["", "0", "2", "-1", "x", "9" * 30])
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
    assert 'value="approve"' not in text
    assert Approval.objects.get().effective["file_name"] == "noors.md"


def test_a_rejection_tells_the_loser_its_reason(project, page, approval):
    decide(signed_in(make_member(project, Role.APPROVER, "noor")), approval, "reject", reason="Split it.")
    text = decide(page, approval).content.decode()
    assert "Rejected by noor" in text
    assert "Split it." in text


def test_a_double_click_is_one_decision(page, approval):
    assert decide(page, approval).status_code == 302
    assert decide(page, approval).status_code == 302
    assert Approval.objects.get().version == 2


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
    assert 'name="verdict"' not in text


def test_high_risk_repeats_its_effect_before_it_is_approved(page, mission):
    approval = ask(mission, risk=Risk.HIGH)
    text = page.get(f"/approvals/{approval.pk}/").content.decode()
    bar = text[text.index('id="decide"') : text.index('id="reject"')]
    assert 'value="approve"' not in bar
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


def test_the_page_takes_as_many_queries_for_many_requests_as_for_one(
    page, project, approver, approval, django_assert_max_num_queries
):
    page.get("/approvals/")
    with django_assert_max_num_queries(25) as one:
        page.get("/approvals/")
    for _ in range(12):
        ask(make_mission(project, approver))
    with django_assert_max_num_queries(len(one)):
        page.get("/approvals/")
