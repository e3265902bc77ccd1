"""API tokens on the screen: made, shown once, revoked by their owners."""

import re

import pytest
from django.test import Client

from agents.ids import new_id
from agents.models import ApiToken
from agents.roles import Role
from agents.services import tokens
from tests.factories import make_member
from tests.orchestrator.web.conftest import signed_in

pytestmark = pytest.mark.django_db
PATH = "/account/tokens/"


def make(page, **fields):
    return page.post(PATH, {"name": "Nightly", "lasts": "7", "id": str(new_id()), **fields})


def shown(answer) -> str:
    found = re.search(r'id="secret"[^>]*value="(qr_[^"]+)"', answer.content.decode())
    return found[1] if found else ""


def test_the_menu_leads_to_a_persons_tokens(page):
    assert f'href="{PATH}"' in page.get("/").content.decode()
    assert "No program acts for you" in page.get(PATH).content.decode()


def test_a_token_is_shown_once_and_works(page):
    answer = make(page)
    text = shown(answer)
    assert answer["Cache-Control"] == "no-store"
    assert Client().get("/api/v1/projects", headers={"Authorization": f"Bearer {text}"}).status_code == 200
    later = page.get(PATH).content.decode()
    assert text not in later
    assert "Nightly" in later and f"{text[:11]}…" in later
    assert not any(text in str(row) for row in ApiToken.objects.values())


def test_a_double_press_is_one_token_and_the_text_that_is_seen_works(page, approver):
    named = str(new_id())
    first, second = shown(make(page, id=named)), shown(make(page, id=named))
    assert ApiToken.objects.count() == 1
    assert tokens.holder(second).user == approver
    again = make(page, id=named)
    assert (again.status_code, shown(again)) == (422, "")
    assert "has made its token already" in again.content.decode()
    assert tokens.holder(second)
    assert Client().get("/api/v1/projects", headers={"Authorization": f"Bearer {first}"}).status_code == 401


def test_the_form_of_somebody_else_makes_nothing_of_theirs(page, project):
    named = str(new_id())
    text = shown(make(signed_in(make_member(project, Role.VIEWER)), id=named))
    assert make(page, id=named).status_code == 422
    assert tokens.holder(text)


@pytest.mark.parametrize(
    ("fields", "marked"), [({"name": " "}, "name"), ({"name": "x" * 101}, "name"), ({"lasts": "9"}, "lasts")]
)
def test_what_does_not_fit_is_marked_and_kept(page, fields, marked):
    answer = make(page, **fields)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert re.search(rf'id="{marked}"[^>]*aria-invalid="true"', text)
    assert f'value="{fields.get("name", "Nightly")}"' in text
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(("lasts", "days"), [("7", 7), ("365", 365), ("", None)])
def test_a_token_holds_as_long_as_was_chosen(page, lasts, days):
    make(page, lasts=lasts)
    token = ApiToken.objects.get()
    assert (round((token.expires_at - token.created_at).total_seconds() / 86400) if days else None) == days
    assert (token.expires_at is None) is (days is None)


def test_a_token_is_revoked_by_its_owner_alone(page, project):
    text = shown(make(page))
    token = ApiToken.objects.get()
    path = f"{PATH}{token.pk}/revoke/"
    assert signed_in(make_member(project)).post(path).status_code == 404
    assert tokens.holder(text)
    assert page.post(path)["Location"] == PATH
    told = page.get(PATH).content.decode()
    assert "“Nightly” lets nobody in any more." in told
    assert "Revoked and expired" in told
    assert "No program acts for you" in told
    page.post(path)
    assert "revoked already" in page.get(PATH).content.decode()


def test_nobody_sees_anothers_tokens(page, project):
    make(page, name="Secret plan")
    assert "Secret plan" not in signed_in(make_member(project)).get(PATH).content.decode()


def test_a_name_is_escaped(page):
    assert "<script>alert" not in make(page, name="<script>alert(1)</script>").content.decode()
