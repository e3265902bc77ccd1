"""The policy of a project: read by all who belong to it, edited by its admins, and nothing typed is lost."""

from functools import partial
from typing import Any

import pytest
from django.urls import reverse

from agents.errors import Forbidden, NotFound
from agents.models import AuditEntry, PolicyVersion, ToolExecution
from agents.policies.policy import MOST_RULES
from agents.roles import Role
from agents.services import policies
from orchestrator.actions import policies as actions
from tests.factories import make_member, make_mission, make_project
from tests.orchestrator.web.conftest import signed_in
from tests.orchestrator.web.policy_forms import fields
from tests.orchestrator.web.situations import ask, run
from tests.orchestrator.web.test_rule_words import WHOLE
from tests.races import at_once

HOSTILE = "<script>alert(1)</script>"
REFUSE = {"rules": [{"name": "no reports", "policy": "refuse", "when": {"tools": ["publish_*"]}}]}
EDIT = "/policy/edit/"
JSON = "/policy/policy.json"


@pytest.fixture
def admin(project):
    return make_member(project, Role.ADMIN, "ada")


@pytest.fixture
def admin_page(admin):
    return signed_in(admin)


def put(project, by, given: Any = REFUSE, note: str = "") -> PolicyVersion:
    return policies.save(project.pk, given, expected=policies.in_force(project.pk).number, note=note, by=by)


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def press(client, response, do: str, **changes: Any):
    """Press a button of the form as it stands, after some typing."""
    return client.post(EDIT, {**fields(response, "policy"), **changes, "do": do})


def stored(project) -> Any:
    latest = PolicyVersion.objects.filter(project=project).order_by("-number").first()
    return latest and latest.document


def test_the_page_shows_the_rules_in_words_and_each_tools_own_policy(viewer_page, project, admin):
    assert "No rule yet" in text(viewer_page.get(reverse("policy")))
    put(project, admin, note="For now")
    shown = text(viewer_page.get(reverse("policy")))
    assert "Refuse when publish_* is called." in shown
    assert "publish_report" in shown and "search_sources" in shown
    assert "For now" in shown and "ada" in shown
    assert "Edit the policy" not in shown
    assert "Edit the policy" in text(signed_in(admin).get(reverse("policy")))


def test_versions_say_what_changed_and_are_there_as_json(page, project, admin):
    put(project, admin)
    put(project, admin, {"rules": [{**REFUSE["rules"][0], "policy": "ask"}]})
    shown = text(page.get(reverse("policy")))
    assert "Version 2" in shown
    assert "Ask an approver when publish_* is called" in shown
    assert page.get(f"{JSON}?version=1").json() == REFUSE
    assert page.get(f"{JSON}?version=3").status_code == 404


def test_what_people_wrote_is_escaped(page, admin_page, project, admin):
    given = {"rules": [{"name": HOSTILE, "policy": "refuse", "when": {"tools": [HOSTILE]}, "reason": HOSTILE}]}
    put(project, admin, given, note=HOSTILE)
    put(project, admin, {}, note=HOSTILE)
    for shown in (text(page.get(reverse("policy"))), text(admin_page.get(f"{EDIT}?from=1"))):
        assert "alert(1)" in shown
        assert HOSTILE not in shown


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.APPROVER])
def test_who_is_no_admin_edits_nothing(project, role):
    client = signed_in(make_member(project, role))
    assert client.get(EDIT).status_code == 403
    sent = {"project": str(project.pk), "json": "{}", "expected": ""}
    for do in ("save", "try", "add:rules"):
        assert client.post(EDIT, {**sent, "do": do}).status_code == 403
    assert not PolicyVersion.objects.exists()


def test_a_stranger_is_told_that_there_is_no_such_project(stranger_page, project, admin):
    put(project, admin)
    assert stranger_page.post(EDIT, {"project": str(project.pk), "json": "{}", "do": "save"}).status_code == 404
    assert "no reports" not in text(stranger_page.get(reverse("policy")))
    assert stranger_page.get(f"{JSON}?version=1").status_code == 404


def test_a_rule_is_added_filled_and_put_in_force(admin_page, project, admin):
    empty = admin_page.get(EDIT)
    assert "No rule" in text(empty)
    added = press(admin_page, empty, "add:rules")
    row = press(admin_page, added, "add:rules.0.when.arguments", **{"rules.0.name": "big"})
    done = press(
        admin_page, row, "save",
        **{"rules.0.when.tools": "pay, wire_*", "rules.0.when.arguments.0.at": "cents", "rules.0.own": "on",
           "rules.0.when.arguments.0.comparison": "at_least", "rules.0.when.arguments.0.value": "1000",
           "rules.0.terms.people": "2", "rules.0.terms.role": "admin", "rules.0.terms.deadline": "4 h",
           "note": " Big ones "},
    )  # fmt: skip
    assert done.status_code == 302
    assert stored(project) == {
        "rules": [
            {
                "name": "big",
                "policy": "ask",
                "when": {
                    "tools": ["pay", "wire_*"],
                    "arguments": [{"at": "cents", "comparison": "at_least", "value": 1000}],
                },
                "terms": {"people": 2, "role": "admin", "deadline": 14_400},
            }
        ]
    }
    assert PolicyVersion.objects.get().note == "Big ones"
    assert AuditEntry.objects.get(action="policy.save").user == admin
    assert "Ask two admins when pay or wire_*\u2019s cents is at least 1000." in text(admin_page.get(reverse("policy")))


def test_a_policy_that_is_opened_and_put_in_force_again_is_the_same(admin_page, project, admin):
    make_member(project, Role.APPROVER, "olga")
    put(project, admin, WHOLE)
    assert press(admin_page, admin_page.get(EDIT), "save").status_code == 302
    first, second = PolicyVersion.objects.order_by("number")
    assert first.document == second.document


def names(response) -> list[str]:
    sent = fields(response, "policy")
    return [sent[f"rules.{place}.name"][0] for place in range(sum(name.endswith(".name") for name in sent))]


def test_rules_are_moved_and_removed_and_nothing_typed_is_lost(admin_page, project, admin):
    put(project, admin, {"rules": [{"name": name, "policy": "run"} for name in "abc"]})
    page = press(admin_page, admin_page.get(EDIT), "up:rules.2", note="why", **{"rules.1.reason": "because"})
    assert names(page) == ["a", "c", "b"]
    assert fields(page, "policy")["rules.2.reason"] == ["because"]
    page = press(admin_page, page, "down:rules.0")
    assert names(page) == ["c", "a", "b"]
    page = press(admin_page, page, "drop:rules.1")
    assert names(page) == ["c", "b"]
    assert fields(page, "policy")["note"] == ["why"]
    for do in ("up:rules.0", "down:rules.1", "drop:rules.9", "up:rules.x", "add:nothing", "up:", "drop:rules", "magic",
               f"drop:rules.{'9' * 5000}", f"drop:rules.{'9' * 5000}.when.arguments.0",
               "add:rules.7.when.arguments", "drop:rules.0.when.arguments.0"):  # fmt: skip
        assert names(press(admin_page, page, do)) == ["c", "b"], do
    assert PolicyVersion.objects.count() == 1


BAD: list[tuple[dict[str, str], str, str]] = [
    ({"rules.0.name": ""}, "rules-0-name", "at least 1 character"),
    ({"rules.0.when.hours.zone": "Mars"}, "rules-0-when-hours-zone", "no time zone"),
    ({"rules.0.when.hours.since": "25:00"}, "rules-0-when-hours-since", ""),
    ({"rules.0.when.cost_at_least": "much"}, "rules-0-when-cost_at_least", ""),
    ({"rules.0.when.arguments.0.value": "many"}, "rules-0-when-arguments-0", "needs a number"),
    ({"rules.0.when.arguments.0.value": "NaN"}, "rules-0-when-arguments-0", "needs a number"),
    ({"rules.0.when.arguments.0.value": "1e999"}, "rules-0-when-arguments-0", ""),
    ({"rules.0.when.arguments.0.at": ""}, "rules-0-when-arguments-0-at", "at least 1 character"),
    ({"rules.0.when.arguments.0.comparison": "magic"}, "rules-0-when-arguments-0-comparison", ""),
    ({"rules.0.when.risks": "none"}, "rules-0-when-risks", ""),
    ({"rules.0.when.tools": "x" * 201}, "rules-0-when-tools", "200 characters"),
    ({"rules.0.when.tools": "a\0b"}, "rules-0-when-tools", "cannot be stored"),
    ({"rules.0.policy": "maybe"}, "rules-0-policy", ""),
    ({"rules.0.own": "on", "rules.0.terms.deadline": "soon"}, "rules-0-terms-deadline", "with its unit"),
    ({"rules.0.own": "on", "rules.0.terms.people": "0"}, "rules-0-terms-people", "greater than"),
    ({"rules.0.own": "on", "rules.0.terms.person": "nobody"}, "rules-0-terms-person", "Nobody of this name"),
    ({"rules.0.own": "on", "rules.0.terms.at_deadline": "approve"}, "rules-0-terms", "needs a deadline"),
    ({"rules.0.own": "on", "rules.0.terms.escalations.0.person": "ada"},
     "rules-0-terms-escalations-0-after", "how long"),
    ({"terms.reminders": "30 min, x"}, "terms-reminders", "with its unit"),
    ({"terms.undo": "99"}, "terms-undo", "less than or equal to 60"),
    ({"note": "x" * 501}, "note", "500 characters"),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "place", "words"), BAD, ids=lambda one: str(one)[:50])
@pytest.mark.parametrize("do", ["try", "save"])
def test_what_does_not_fit_is_said_beside_its_field_and_stays_typed(admin_page, project, do, typed, place, words):
    given = {"rules.0.name": "big", "rules.0.policy": "ask", "rules.0.when.arguments.0.at": "cents",
             "rules.0.when.arguments.0.comparison": "at_least", "rules.0.when.arguments.0.value": "7",
             "rules.0.reason": "kept"}  # fmt: skip
    if do == "try" and "note" in typed:
        return
    answer = admin_page.post(EDIT, {"project": str(project.pk), "expected": "", "do": do, **given, **typed})
    assert answer.status_code == 422
    shown = answer.content.decode()
    assert f'id="{place}-error"' in shown
    assert words in shown
    sent = fields(answer, "policy")
    assert sent["rules.0.reason"] == ["kept"]
    for name, value in typed.items():
        if name.rsplit(".", 1)[-1] not in ("comparison", "risks", "policy") and "\0" not in value:
            assert sent[name] == [value]
    assert not PolicyVersion.objects.exists()


def test_all_that_is_wrong_is_said_at_once(admin_page, project):
    answer = admin_page.post(
        EDIT,
        {"project": str(project.pk), "do": "save", "rules.0.name": "", "rules.0.policy": "run", "terms.deadline": "x",
         "rules.1.name": "b", "rules.1.policy": "ask", "rules.1.when.hours.zone": "Mars"},
    )  # fmt: skip
    shown = answer.content.decode()
    for place in ("rules-0-name", "rules-1-when-hours-zone", "terms-deadline"):
        assert f'id="{place}-error"' in shown


def test_two_rules_of_one_name_are_told_above_the_form(admin_page, project):
    answer = admin_page.post(
        EDIT,
        {"project": str(project.pk), "do": "save", **{f"rules.{n}.{k}": v for n in (0, 1)
         for k, v in {"name": "twice", "policy": "run"}.items()}},
    )  # fmt: skip
    assert answer.status_code == 422
    assert "Two rules are called twice." in answer.content.decode()


def test_a_dry_run_says_which_calls_would_change_and_changes_nothing(admin_page, project, admin):
    mission = run(make_mission(project, admin))
    approval = ask(mission)
    page = press(admin_page, admin_page.get(EDIT), "add:rules")
    typed = {"rules.0.name": "no reports", "rules.0.policy": "refuse", "rules.0.when.tools": "publish_*"}
    tried = press(admin_page, page, "try", **typed)
    shown = text(tried)
    assert "1 of the latest 1 call would change" in shown
    assert reverse("session", args=[mission.pk]) in shown
    assert "Ask an approver" in shown and "Refuse" in shown
    assert fields(tried, "policy")["rules.0.when.tools"] == ["publish_*"]
    untouched = press(admin_page, page, "try", **{**typed, "rules.0.when.tools": "other"})
    assert "None of the latest 1 call would change" in text(untouched)
    assert not PolicyVersion.objects.exists()
    assert ToolExecution.objects.get(pk=approval.execution_id).policy == "ask"


def test_a_dry_run_without_calls_says_so(admin_page, project):
    assert "nothing to try it on yet" in text(press(admin_page, admin_page.get(EDIT), "try"))


def test_who_comes_second_sees_what_changed_and_keeps_every_edit(admin_page, project, admin):
    opened = admin_page.get(EDIT)
    put(project, make_member(project, Role.ADMIN, "bob"), note="Quick one")
    page = press(admin_page, opened, "add:rules")
    answer = press(admin_page, page, "save", **{"rules.0.name": "mine", "rules.0.policy": "run", "note": "My reasons"})
    assert answer.status_code == 409
    shown = answer.content.decode()
    assert "bob put version 1 in force" in shown
    assert "Quick one" in shown and "no reports" in shown
    sent = fields(answer, "policy")
    assert (sent["rules.0.name"], sent["note"], sent["expected"]) == (["mine"], ["My reasons"], [""])
    assert stored(project) == REFUSE
    assert press(admin_page, answer, "over:1").status_code == 302
    assert stored(project)["rules"][0]["name"] == "mine"
    assert PolicyVersion.objects.count() == 2


def test_mine_in_its_place_is_refused_when_a_third_was_faster(admin_page, project, admin):
    opened = admin_page.get(EDIT)
    bob = make_member(project, Role.ADMIN, "bob")
    put(project, bob)
    answer = press(admin_page, opened, "save", note="x")
    put(project, bob, {})
    again = press(admin_page, answer, "over:1")
    assert again.status_code == 409
    assert "version 2" in again.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_double_press_puts_one_version_in_force():
    project = make_project()
    client = signed_in(make_member(project, Role.ADMIN))
    page = press(client, client.get(EDIT), "add:rules")
    sent = {**fields(page, "policy"), "rules.0.name": "mine", "do": "save"}
    answers = at_once(*[partial(client.post, EDIT, sent)] * 3)
    assert [one.status_code for one in answers] == [302] * 3
    assert PolicyVersion.objects.count() == 1


def test_an_earlier_version_is_put_in_force_again(admin_page, project, admin):
    put(project, admin)
    put(project, admin, {})
    page = admin_page.get(f"{EDIT}?from=1")
    assert names(page) == ["no reports"]
    assert press(admin_page, page, "save").status_code == 302
    latest = PolicyVersion.objects.order_by("-number").first()
    assert (latest.number, latest.document, latest.note) == (3, REFUSE, "As in version 1")
    assert admin_page.get(f"{EDIT}?from=9").status_code == 404


def test_the_policy_can_be_edited_as_json_and_back(admin_page, project, admin):
    put(project, admin)
    raw = press(admin_page, admin_page.get(EDIT), "json", **{"rules.0.reason": "typed"})
    assert '"reason": "typed"' in fields(raw, "policy")["json"][0]
    back = press(admin_page, raw, "form")
    assert fields(back, "policy")["rules.0.reason"] == ["typed"]
    assert press(admin_page, raw, "save", json='{"terms": {"not_own": true}}').status_code == 302
    assert stored(project) == {"terms": {"not_own": True}}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{", "no JSON"),
        ("[]", "valid dictionary"),
        ('{"rules": [{"name": "a", "policy": "x"}]}', "rules.0.policy"),
        ('{"rules": [{"name": "a", "policy": "run", "when": {"cost": 3}}]}', "not permitted"),
        ("[" * 100_000, "nested too deeply"),
        ('{"rules": [{"name": "\\u0000", "policy": "run"}]}', "cannot be stored"),
    ],
    ids=lambda one: one[:30],
)
@pytest.mark.parametrize("do", ["save", "try", "form"])
def test_json_that_does_not_fit_stays_as_it_was_typed(admin_page, project, do, given, words):
    answer = admin_page.post(EDIT, {"project": str(project.pk), "json": given, "do": do})
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert fields(answer, "policy")["json"] == [given]
    assert not PolicyVersion.objects.exists()


def test_a_long_policy_fits_into_its_form(admin_page, project, admin):
    given = {"rules": [{"name": f"rule {n}", "policy": "ask", "terms": {"people": 2}} for n in range(MOST_RULES)]}
    put(project, admin, given)
    assert press(admin_page, admin_page.get(EDIT), "save", note="x").status_code == 302
    more = press(admin_page, admin_page.get(EDIT), "add:rules")
    assert len(names(more)) == MOST_RULES


@pytest.mark.parametrize(
    "sent",
    [
        {"rules": "text"}, {"rules.0": "text"}, {"rules.0.when": "x", "rules.0.when.tools": "a"},
        {"rules.x.name": "a"}, {"rules.0.when.arguments.0.at.deep": "a"}, {"..": "a"}, {"rules.": "a"},
        {"rules.0.name.x": "a", "rules.0.name": "b"}, {"rules.99999999999.name": "a"}, {"terms.escalations.0": "x"},
        {"rules.\u00b2.name": "y"}, {"when.hours": "x"}, {"terms.risks.0": "x"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("do", ["try", "add:rules", "json"])
def test_a_form_that_no_page_of_ours_sends_breaks_nothing(admin_page, project, do, sent):
    answer = admin_page.post(EDIT, {"project": str(project.pk), "do": do, **sent})
    assert answer.status_code in (200, 422)


def test_the_door_asks_for_the_role_whoever_comes(project):
    viewer, stranger = make_member(project, Role.VIEWER), make_member(make_project())
    assert actions.in_force(viewer, project.pk).number is None
    with pytest.raises(Forbidden):
        actions.save(viewer, project.pk, {}, expected=None, note="")
    with pytest.raises(Forbidden):
        actions.tried(make_member(project, Role.APPROVER), project.pk, {})
    for refused in (actions.in_force, partial(actions.tried, given={})):
        with pytest.raises(NotFound):
            refused(stranger, project.pk)


def test_a_form_is_of_the_project_that_it_was_opened_in(admin, admin_page, project):
    opened = press(admin_page, admin_page.get(EDIT), "add:rules")
    other = make_project(admin)
    admin_page.post(reverse("use_project"), {"project": str(other.pk)})
    assert f"agent of {other.name}" in text(admin_page.get(reverse("policy")))
    assert press(admin_page, opened, "save", **{"rules.0.name": "mine"}).status_code == 302
    assert (bool(stored(project)), stored(other)) == (True, None)
