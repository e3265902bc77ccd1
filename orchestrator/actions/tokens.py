"""API tokens: a person makes and revokes their own; a program acts with one."""

from contextlib import AbstractContextManager
from uuid import UUID

from agents.events import causes
from agents.models import ApiToken, User
from agents.services import tokens


@causes.act()
def make(user: User, *, name: str, seconds: int | None, token_id: UUID | None = None) -> tuple[ApiToken, str]:
    """A token of theirs and its text, to be shown once. `seconds`: how long it holds; None: until it is revoked.

    `token_id` names the press of a button: twice is one token.
    Raises InvalidInput with a message for each bad field.
    """
    return tokens.make(user, name, seconds=seconds, token_id=token_id)


@causes.act()
def revoke(user: User, token_id: UUID) -> ApiToken:
    """Let a token of theirs do nothing any more. Raises NotFound, InvalidTransition."""
    return tokens.revoke(token_id, by=user)


def holder(text: str) -> ApiToken:
    """The token of this text, with its person. Raises Unauthenticated."""
    return tokens.holder(text)


def acting(token: ApiToken | None) -> AbstractContextManager[None]:
    """What is done in the block a program does with this token, and the audit says so; None: a person does it."""
    return causes.by_token(token.pk if token else None)
