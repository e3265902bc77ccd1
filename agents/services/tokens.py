"""API tokens: made, revoked, and whose one is."""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from agents.errors import InvalidInput, InvalidTransition, NotFound, Unauthenticated
from agents.ids import new_id
from agents.models import ApiToken, User
from agents.services import audit, deadlines
from agents.storable import is_storable_text

BEGINNING = "qr_"
SHOWN = 8  # characters after it by which a token is recognised
LONGEST = 200  # characters of what may be a token
LONGEST_NAME = 100
LONGEST_LIFE = 365 * 86400  # seconds
MOST = 50  # tokens in force that one person has
PRESSED_TWICE = timedelta(seconds=30)  # within it
USE_IS_WRITTEN = timedelta(minutes=1)  # at most so often


@transaction.atomic
def make(user: User, name: str, *, seconds: int | None, token_id: UUID | None = None) -> tuple[ApiToken, str]:
    """A token and its text, which is not to be had again. `seconds`: how long it holds, None: until it is revoked.

    `token_id` names the press of a button: whoever pressed twice saw the second answer, so the one token gets another
    text. Raises InvalidInput with a message for each bad field.
    """
    User.objects.select_for_update(no_key=True).get(pk=user.pk)  # two at once count each other, and see each other
    text = BEGINNING + secrets.token_urlsafe(32)
    marks = {"prefix": text[: len(BEGINNING) + SHOWN], "hash": _hash(text)}
    if token_id and ApiToken.objects.filter(pk=token_id).exists():
        return _again(user, token_id, marks), text
    _check(user, name, seconds)
    token = ApiToken.objects.create(
        pk=token_id or new_id(),
        user=user,
        name=name.strip(),
        expires_at=deadlines.after(seconds) if seconds else None,
        **marks,
    )
    token.refresh_from_db()
    audit.record(user.pk, "token.make", project_id=None, target=("token", token.pk), detail={"prefix": token.prefix})
    return token, text


def _again(user: User, token_id: UUID, marks: Mapping[str, str]) -> ApiToken:
    """A token that was made a moment ago, with another text. Raises InvalidInput once it may be in use."""
    unused = ApiToken.objects.filter(pk=token_id, user=user, last_used_at__isnull=True, revoked_at__isnull=True)
    if not unused.filter(created_at__gt=Now() - PRESSED_TWICE).update(**marks):
        words = "This form has made its token already. Send it again for another one."
        raise InvalidInput("The token was not made.", fields={"name": words})
    return ApiToken.objects.get(pk=token_id)


def _check(user: User, name: str, seconds: int | None) -> None:
    fields = {}
    if not 0 < len(name.strip()) <= LONGEST_NAME or not is_storable_text(name):
        fields["name"] = f"Say what it is for, in 1 to {LONGEST_NAME} characters."
    if seconds is not None and not 60 <= seconds <= LONGEST_LIFE:
        fields["seconds"] = "A token holds for a minute at least, and for a year at most, or until it is revoked."
    if not fields and user.api_tokens.in_force().count() >= MOST:
        fields["name"] = f"You have {MOST} tokens already. Revoke one that nothing uses any more."
    if fields:
        raise InvalidInput("The token was not made.", fields=fields)


def _hash(text: str) -> str:
    """Unsalted and fast, for a token has 256 random bits: there is nothing to guess."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@transaction.atomic
def revoke(token_id: UUID, *, by: User) -> ApiToken:
    """Let a token of one's own do nothing any more. Raises NotFound, InvalidTransition when that was done already."""
    token = ApiToken.objects.select_for_update(no_key=True).filter(pk=token_id, user=by).first()
    if token is None:
        raise NotFound
    if token.revoked_at is not None:
        raise InvalidTransition("This token is revoked already.")
    ApiToken.objects.filter(pk=token.pk).update(revoked_at=Now())
    audit.record(by.pk, "token.revoke", project_id=None, target=("token", token.pk), detail={"prefix": token.prefix})
    token.refresh_from_db()
    return token


def holder(text: str) -> ApiToken:
    """The token of this text with its person. Raises Unauthenticated for none, one that is over, or one of nobody."""
    if not text.startswith(BEGINNING) or len(text) > LONGEST:
        raise Unauthenticated("This is no API token.")
    token = ApiToken.objects.in_force().select_related("user").filter(hash=_hash(text)).first()
    if token is None or not token.user.is_active:
        raise Unauthenticated("This API token does not hold: it is unknown, expired or revoked.")
    unwritten = Q(last_used_at__isnull=True) | Q(last_used_at__lt=Now() - USE_IS_WRITTEN)
    ApiToken.objects.filter(unwritten, pk=token.pk).update(last_used_at=Now())
    return token
