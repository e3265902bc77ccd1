"""manage.py signal: send a signal to a mission."""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.errors import DomainError
from agents.models import User
from orchestrator.actions import signals
from orchestrator.actions.json_text import parse_json


class Command(BaseCommand):
    """Sends one signal."""

    help = "Send a signal by name to a mission: to one wait, or with --everyone to each of its agents."

    def add_arguments(self, parser: CommandParser) -> None:
        """The mission, the name, what it carries, on whose behalf."""
        parser.add_argument("mission", type=UUID)
        parser.add_argument("name")
        parser.add_argument("--payload", default="null", help="JSON")
        parser.add_argument("--everyone", action="store_true")
        parser.add_argument("--user", required=True, help="Who sends it; needs the operator's role.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Send it."""
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']}.")
        try:
            payload = parse_json(options["payload"])
            sent = signals.send(user, options["mission"], options["name"], payload, everyone=options["everyone"])
        except ValueError as error:
            raise CommandError(f"The payload: {error}") from error
        except DomainError as error:
            raise CommandError(str(error)) from error
        if sent is not None:
            self.stdout.write(f"Sent {sent.pk}.")
