"""Signing in and out, what a browser remembers, which project one is in."""

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import make_member, make_project, make_user
from tests.orchestrator.web.conftest import signed_in

pytestmark = pytest.mark.django_db


def test_every_page_asks_strangers_to_sign_in_and_leads_back():
    answer = Client().get("/approvals/?risk=high")
    assert answer.status_code == 302
    assert answer["Location"] == "/login/?next=/approvals/%3Frisk%3Dhigh"


def test_a_wrong_password_is_said_beside_the_field_and_the_name_is_kept():
    make_user("mara")
    answer = Client().post("/login/", {"username": "mara", "password": "wrong"})
    text = answer.content.decode()
    assert 'value="mara"' in text
    assert 'aria-invalid="true"' in text
    assert "do not match" in text


@pytest.mark.parametrize(("stay", "expires"), [("", True), ("yes", False)])
def test_a_session_ends_with_the_browser_unless_one_asks_to_stay(stay, expires):
    make_user("mara")
    client = Client()
    client.post("/login/", {"username": "mara", "password": "mara", "stay": stay})
    assert client.session.get_expire_at_browser_close() is expires


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_signing_in_never_leads_to_another_site(target):
    make_user("mara")
    answer = Client().post("/login/", {"username": "mara", "password": "mara", "next": target})
    assert answer["Location"] == "/"


def test_a_part_asked_for_after_the_session_ran_out_becomes_a_visit_of_the_page():
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/missions/"}
    answer = Client().get("/missions/", headers=headers, follow=True)
    assert answer["HX-Redirect"] == "/login/?next=http%3A%2F%2Ftestserver%2Fmissions%2F"
    assert answer.content == b""


def test_the_theme_is_a_cookie_and_stands_on_the_page():
    client = Client()
    client.force_login(make_member(make_project()))
    client.post("/preferences/", {"theme": "dark", "keys": "on"})
    assert 'data-theme="dark"' in client.get("/").content.decode()
    client.post("/preferences/", {"theme": "system", "keys": "on"})
    assert "data-theme" not in client.get("/").content.decode()


def test_single_keys_can_be_switched_off():
    client = signed_in(make_member(make_project()))
    assert "data-keys" not in client.get("/").content.decode()
    client.post("/preferences/", {"theme": "system"})
    assert 'data-keys="off"' in client.get("/").content.decode()


def test_a_made_up_theme_never_reaches_the_page():
    client = signed_in(make_member(make_project()))
    client.cookies["theme"] = '"><script>'
    assert "<script>" not in client.get("/").content.decode()


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example"])
def test_preferences_never_lead_to_another_site(target):
    client = signed_in(make_member(make_project()))
    assert client.post("/preferences/", {"next": target})["Location"] == "/"


def test_one_can_go_over_to_another_project_of_ones_own_only():
    one, other, foreign = make_project(), make_project(), make_project()
    user = make_member(one)
    other.memberships.create(user=user, role="viewer")
    client = signed_in(user)
    assert f"/live/{one.pk}/" in client.get("/").content.decode()
    client.post("/project/", {"project": str(other.pk)})
    assert f"/live/{other.pk}/" in client.get("/").content.decode()
    assert client.post("/project/", {"project": str(foreign.pk)}).status_code == 404
    assert client.post("/project/", {"project": "nonsense"}).status_code == 404
    assert f"/live/{other.pk}/" in client.get("/").content.decode()


def test_who_is_in_no_project_is_told_whom_to_ask():
    answer = signed_in(make_user()).get("/")
    assert answer.status_code == 403
    assert "Ask an admin" in answer.content.decode()


def test_signing_out_needs_a_post():
    client = signed_in(make_member(make_project()))
    assert client.get(reverse("logout")).status_code == 405
    client.post(reverse("logout"))
    assert client.get("/").status_code == 302
