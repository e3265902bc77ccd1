"""Being away in the browser: who stands in, from when until when; and what the desk says of it."""

import re
from datetime import timedelta
from html import escape
from uuid import uuid4

import pytest
from django.utils import timezone

from agents.ids import new_id
from agents.models import Absence, Approval, AuditEntry, Membership
from agents.roles import Role
from agents.services import absences, attention
from agents.services.absences import Leave
from tests.factories import make_member, make_mission, make_project, make_user
from tests.orchestrator.web.conftest import signed_in
from tests.orchestrator.web.policy_forms import fields
from tests.orchestrator.web.situations import REPORT, ask

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def bob(project):
    return make_member(project, Role.APPROVER, "bob")


@pytest.fixture
def admin(project):
    return make_member(project, Role.ADMIN, "root")


def text(response, status: int = 200) -> str:
    assert response.status_code == status
    return response.content.decode()


def stamp(**span) -> str:
    """A moment as a browser sends it."""
    return (timezone.now() + timedelta(**span)).strftime("%Y-%m-%dT%H:%M")


def press(client, **changes):
    """Send the form as it stands, after some typing."""
    sent = fields(client.get("/away/"), "away")
    return client.post("/away/", {**sent, **{name: str(value) for name, value in changes.items()}})


def away(project, user, stand_in, **times) -> Absence:
    return absences.begin(project.pk, Leave(user.pk, stand_in.pk, **times), by=user)


def for_person(project, user) -> Approval:
    approval = ask(make_mission(project))
    return attention.assign(approval.pk, role=Role.APPROVER, to=user, by=user)


def decide(client, approval):
    approval.refresh_from_db()
    form = {"verdict": "approve", "version": approval.version, **{f"arg-{name}": one for name, one in REPORT.items()}}
    return client.post(f"/approvals/{approval.pk}/decide/", {**form, "arg-title": "Kept"})


def test_it_is_in_the_account_menu_and_says_what_it_is(page, bob):
    assert 'href="/away/"' in text(page.get("/"))
    shown = text(page.get("/away/"))
    assert "You are here" in shown and "one step only" in shown and "Times are UTC" in shown
    assert re.search(r"It is <time[^>]*>\d+ \w+ \d+, \d\d:\d\d UTC</time>", shown)
    assert f'<option value="{bob.pk}">bob</option>' in shown
    assert 'name="user"' not in shown


def test_a_person_goes_away_and_comes_back(page, approver, bob):
    answer = press(page, stand_in=bob.pk, until=stamp(days=2))
    assert (answer.status_code, answer["Location"]) == (302, "/away/")
    made = Absence.objects.get()
    assert (made.user, made.stand_in, made.until.second) == (approver, bob, 0)
    shown = text(page.get("/away/"))
    assert "bob stands in for you from now on, until" in shown and "holds now" in shown
    assert "For whom you stand in" in text(signed_in(bob).get("/away/"))
    assert page.post(f"/away/{made.pk}/end/")["Location"] == "/away/"
    shown = text(page.get("/away/"))
    assert "bob does not stand in any more." in shown and "You are here" in shown
    page.post(f"/away/{made.pk}/end/")
    assert "over already" in text(page.get("/away/"))


def test_what_is_to_come_can_be_taken_back(page, bob):
    press(page, stand_in=bob.pk, since=stamp(days=1), until=stamp(days=2))
    shown = text(page.get("/away/"))
    assert "to come" in shown and "Take it back" in shown and "holds now" not in shown


def test_the_times_typed_are_utc(page, bob):
    since, until = stamp(days=1), stamp(days=2)
    press(page, stand_in=bob.pk, since=since, until=until)
    made = Absence.objects.get()
    assert [f"{at:%Y-%m-%dT%H:%M}" for at in (made.since, made.until)] == [since, until]


def test_the_same_press_twice_is_one(page, bob):
    sent = {**fields(page.get("/away/"), "away"), "stand_in": str(bob.pk)}
    assert [page.post("/away/", sent).status_code for _ in range(2)] == [302, 302]
    assert Absence.objects.count() == AuditEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"stand_in": ""}, "stand_in", "Choose who stands in"),
        ({"stand_in": "nonsense"}, "stand_in", "no such person"),
        ({"stand_in": uuid4()}, "stand_in", "no such person"),
        ({"since": "tomorrow"}, "since", "Write day and time"),
        ({"since": "9999-12-31T23:59-12:00"}, "since", "Write day and time"),
        ({"until": "2026-99-01T00:00"}, "until", "Write day and time"),
        ({"until": "2\x000"}, "until", "Write day and time"),
        ({"since": "2020-01-01T00:00"}, "since", "This has passed"),
        ({"since": "9999-12-31T23:59"}, "since", "within a year"),
        ({"until": "0001-01-01T00:00"}, "until", "must end after"),
        ({"until": "9999-12-31T23:59"}, "until", "a year at most"),
    ],
)
def test_what_does_not_fit_is_told_beside_its_field_and_kept(page, bob, typed, field, words):
    shown = text(press(page, **{"stand_in": bob.pk, "until": stamp(days=9), **typed}), 422)
    assert words in re.search(rf'id="away-{field}-error">.*?</p>', shown, re.S)[0]
    assert re.search(rf'id="away-{field}"[^>]*aria-invalid="true"', shown)
    assert "Everything you typed is still here" in shown
    if "stand_in" not in typed:
        assert f'<option value="{bob.pk}" selected>bob</option>' in shown
    assert not Absence.objects.exists()


def test_one_at_a_time_is_said_at_the_beginning(page, project, approver, bob):
    away(project, approver, bob)
    shown = text(press(page, stand_in=bob.pk, since=stamp(days=1)), 422)
    assert f"{approver.username} is away from" in shown and "end that first" in shown
    assert Absence.objects.count() == 1


def test_a_chain_is_told_when_it_is_made_and_as_long_as_it_is_one(page, project, approver, bob, admin):
    away(project, bob, admin, until=timezone.now() + timedelta(days=1))
    press(page, stand_in=bob.pk)
    for shown in (text(page.get("/away/")), text(page.get("/away/"))):
        assert "bob is away from" in shown
        assert "Nobody follows on: what is for you waits for you or bob." in shown
    assert f"You stand in for {approver.username} from" in text(signed_in(bob).get("/away/"))


def test_a_stand_in_of_a_lesser_role_or_without_one_is_told(project, admin, bob):
    page = signed_in(admin)
    press(page, stand_in=bob.pk)
    assert "What needs an admin waits for you: the role of bob is approver." in text(page.get("/away/"))
    Membership.objects.filter(user=bob).update(role=Role.VIEWER)
    make_member(project, Role.APPROVER)
    assert "Bob may not" not in (shown := text(page.get("/away/")))
    assert "bob may not decide in this project any more: nobody stands in." in shown


def test_an_admin_sees_and_arranges_those_of_others(project, approver, bob, admin):
    page = signed_in(admin)
    press(page, user=approver.pk, stand_in=admin.pk)
    made = Absence.objects.get()
    assert (made.user, made.stand_in) == (approver, admin)
    shown = text(page.get("/away/"))
    assert f"You stand in for {approver.username} from now on" in shown and f"/away/{made.pk}/end/" in shown
    assert "Others in this project" not in shown
    theirs = away(project, bob, approver)
    shown = text(page.get("/away/"))
    assert "Others in this project" in shown and f"/away/{theirs.pk}/end/" in shown
    shown = text(signed_in(approver).get("/away/"))
    assert "For whom you stand in" in shown and f"/away/{theirs.pk}/end/" not in shown
    third = signed_in(make_member(project, Role.APPROVER))
    assert "bob</th>" not in text(third.get("/away/"))
    assert page.post(f"/away/{made.pk}/end/").status_code == 302
    made.refresh_from_db()
    assert made.ended_at is not None


def test_nobody_else_sends_others_away_or_brings_them_back(page, project, approver, bob, admin):
    shown = text(press(page, user=bob.pk, stand_in=admin.pk), 403)
    assert "an admin may for others" in shown and not Absence.objects.exists()
    made = away(project, admin, bob)
    assert page.post(f"/away/{made.pk}/end/").status_code == 403
    assert signed_in(bob).post(f"/away/{made.pk}/end/").status_code == 403


def test_those_of_other_projects_look_like_what_is_not_there(stranger_page, page, project, approver, bob):
    made = away(project, approver, bob)
    assert stranger_page.post(f"/away/{made.pk}/end/").status_code == 404
    assert stranger_page.post(f"/away/{new_id()}/end/").status_code == 404
    sent = {"project": str(project.pk), "stand_in": str(bob.pk), "key": "k"}
    assert stranger_page.post("/away/", sent).status_code == 404
    assert stranger_page.post("/away/", {**sent, "project": "nonsense"}).status_code == 404
    assert "bob" not in text(stranger_page.get("/away/"))
    eve = make_user("eve")
    make_project(eve)
    told = [text(press(page, stand_in=one), 422) for one in (eve.pk, uuid4())]
    assert all("There is no such person in this project." in shown and "eve" not in shown for shown in told)


def test_who_decides_nothing_has_no_form(viewer_page, page, project, bob):
    shown = text(viewer_page.get("/away/"))
    assert "Your role here is viewer" in shown and 'id="away"' not in shown
    Membership.objects.filter(user=bob).delete()
    assert "Nobody else in this project may decide" in text(page.get("/away/"))


def test_names_are_escaped(page, project, approver):
    stand_in = make_member(project, Role.APPROVER, HOSTILE)
    press(page, stand_in=stand_in.pk)
    approval = for_person(project, approver)
    for address in ("/away/", "/away/", f"/approvals/{approval.pk}/"):
        shown = text(page.get(address))
        assert HOSTILE not in shown and escape(HOSTILE) in shown


def test_addresses_take_only_their_methods(page):
    assert page.get(f"/away/{new_id()}/end/").status_code == 405
    assert page.put("/away/").status_code == 405


# --- the desk


def test_a_request_says_who_is_away_and_who_stands_in(page, project, approver, bob):
    approval = for_person(project, bob)
    address = f"/approvals/{approval.pk}/"
    assert "bob is away" not in text(page.get(address))
    until = timezone.now() + timedelta(days=1)
    away(project, bob, approver, until=until)
    shown = text(page.get(address))
    assert re.search(rf"bob is away until <time[^>]*>{until:%-d %b %Y, %H:%M} UTC</time>; you stand in", shown)
    assert "Nothing stands in the way" in shown
    own = text(signed_in(bob).get(address))
    assert f"{approver.username} stands in" in own and "Nothing stands in the way" in own
    assert "you stand in" in page.get(f"{address}?r=verdict").content.decode()
    decide(page, approval)
    shown = text(page.get(address))
    assert "approved with edits, standing in for bob" in shown and "bob is away" not in shown


def test_what_is_for_me_holds_what_i_stand_in_for(page, project, approver, bob):
    for_person(project, bob)
    assert "For me" not in text(page.get("/approvals/"))
    away(project, bob, approver)
    assert re.search(r'href="/approvals/\?who=me">For me 1</a>', text(page.get("/approvals/")))
    assert "Publish a report" in text(page.get("/approvals/?who=me"))


def test_an_absence_that_ends_while_the_page_is_open_refuses_and_loses_nothing(page, project, approver, bob):
    approval = for_person(project, bob)
    made = away(project, bob, approver)
    assert "Nothing stands in the way" in text(page.get(f"/approvals/{approval.pk}/"))
    absences.end(made.pk, by=bob)
    shown = text(decide(page, approval), 403)
    assert "Not decided yet" in shown
    assert "This is for bob. You stood in for bob until" in shown
    assert 'value="Kept"' in shown
    approval.refresh_from_db()
    assert approval.status == "pending"


def test_an_absence_that_begins_while_the_page_is_open_counts(page, project, approver, bob):
    approval = for_person(project, bob)
    assert "This is for bob." in text(page.get(f"/approvals/{approval.pk}/"))
    away(project, bob, approver)
    assert decide(page, approval).status_code == 302


def test_the_page_takes_as_many_queries_for_many_as_for_one(
    project, admin, approver, bob, django_assert_max_num_queries
):
    page = signed_in(admin)
    away(project, approver, bob)
    page.get("/away/")
    with django_assert_max_num_queries(25) as one:
        page.get("/away/")
    for _ in range(5):
        away(project, make_member(project, Role.APPROVER), bob)
    with django_assert_max_num_queries(len(one)):
        page.get("/away/")
