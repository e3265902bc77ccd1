"""manage.py token: makes, lists and revokes a person's tokens."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from agents.errors import Unauthenticated
from agents.models import ApiToken
from agents.services import tokens
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def run(*given: str) -> str:
    out = StringIO()
    call_command("token", *given, stdout=out)
    return out.getvalue().strip()


def test_a_token_is_made_listed_and_revoked():
    user = make_user("mara")
    text = run("make", "Nightly", "--user", "mara", "--days", "7")
    assert tokens.holder(text).user == user
    token = ApiToken.objects.get()
    assert run("list", "--user", "mara") == f"{token.pk} {text[:11]}… Nightly"
    assert "lets nobody in" in run("revoke", str(token.pk), "--user", "mara")
    with pytest.raises(Unauthenticated):
        tokens.holder(text)
    assert run("list", "--user", "mara") == "No program acts for them."


def test_without_days_it_holds_until_it_is_revoked():
    make_user("mara")
    run("make", "Nightly", "--user", "mara")
    assert ApiToken.objects.get().expires_at is None


@pytest.mark.parametrize(
    "given",
    [
        ("make", "--user", "mara"),
        ("make", "Nightly", "--user", "nobody"),
        ("make", "Nightly", "--user", "mara", "--days", "0"),
        ("make", "Nightly", "--user", "mara", "--days", "366"),
        ("revoke", "nonsense", "--user", "mara"),
        ("revoke", "01a201fa-43c7-76ab-bae4-d40b9a3e89f6", "--user", "mara"),
    ],
)
def test_what_does_not_fit_is_said(given):
    make_user("mara")
    with pytest.raises(CommandError, match=r"\w"):
        run(*given)
    assert not ApiToken.objects.exists()
