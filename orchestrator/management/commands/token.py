"""manage.py token: API tokens of a person, from a terminal."""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.errors import DomainError
from agents.models import User
from agents.selectors import tokens as selectors
from orchestrator.actions import tokens

DAY = 86_400


class Command(BaseCommand):
    """The page of API tokens, for a terminal. It happens, and is audited, in the person's name."""

    help = "Make an API token and print it this once; list a person's tokens, or revoke one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whose, and what is to be done."""
        parser.add_argument("act", choices=["make", "list", "revoke"])
        parser.add_argument("what", nargs="?", default="", help="What a new token is for, or the id of one to revoke.")
        parser.add_argument("--user", required=True, help="Whose tokens.")
        parser.add_argument("--days", type=int, help="How long a new one holds; without, until it is revoked.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        user = User.objects.filter(**{User.USERNAME_FIELD: options["user"]}, is_active=True).first()
        if user is None:
            raise CommandError("There is no such user.")
        try:
            self.stdout.write({"make": _make, "list": _list, "revoke": _revoke}[options["act"]](user, options))
        except DomainError as error:
            raise CommandError(" ".join(error.data.get("fields", {}).values()) or str(error)) from error


def _make(user: User, options: dict[str, Any]) -> str:
    days = options["days"]
    _, text = tokens.make(user, name=options["what"], seconds=None if days is None else days * DAY)
    return text


def _list(user: User, options: dict[str, Any]) -> str:
    held = selectors.in_force(user)
    return "\n".join(f"{one.pk} {one.prefix}… {one.name}" for one in held) or "No program acts for them."


def _revoke(user: User, options: dict[str, Any]) -> str:
    try:
        named = UUID(options["what"])
    except ValueError:
        raise CommandError("Give the id of a token; manage.py token list shows them.") from None
    return f"“{tokens.revoke(user, named).name}” lets nobody in any more."
