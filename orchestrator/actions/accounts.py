"""People and their first start."""

import secrets
from dataclasses import dataclass

from agents.services import accounts


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password, to be shown once."""

    name: str
    password: str


def ensure_first_user() -> Credentials | None:
    """Make the first user with a password of their own; None when somebody is there already."""
    credentials = Credentials("admin", secrets.token_urlsafe(12))
    made = accounts.create_first_user(credentials.name, credentials.password)
    return credentials if made else None
