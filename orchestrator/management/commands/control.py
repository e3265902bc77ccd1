"""manage.py control: what the buttons of a mission do, from a shell."""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.errors import DomainError
from agents.models import User
from agents.outcomes import Outcome
from orchestrator.actions import agents

VERBS = ("pause", "resume", "cancel", "retry", "prioritise", "tell")


class Command(BaseCommand):
    """Prints a line an agent: what was done, or why not."""

    help = "Pause, resume, stop, retry, prioritise or tell an agent, or with --below it and all below it."

    def add_arguments(self, parser: CommandParser) -> None:
        """The verb, the agent, and on whose behalf."""
        parser.add_argument("verb", choices=VERBS)
        parser.add_argument("session", type=UUID, help="The agent's id; a mission's is its queen's.")
        parser.add_argument("--user", required=True, help="Who does it; needs the operator's role.")
        parser.add_argument("--below", action="store_true", help="With all below it; stopping always is.")
        parser.add_argument("--reason", default="", help="For pause and cancel.")
        parser.add_argument("--from-start", action="store_true", help="For retry: begin again with the first input.")
        parser.add_argument("--priority", type=int, default=0, help="For prioritise: -9 to 9.")
        parser.add_argument("--text", default="", help="For tell.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']}.")
        try:
            outcomes = _act(user, options)
        except DomainError as error:
            raise CommandError(str(error)) from error
        for outcome in outcomes:
            said = ("at its next step" if outcome.is_later else "done") if outcome.is_done else f"not: {outcome.why}"
            self.stdout.write(f"{outcome.session_id}  {outcome.name}: {said}")


def _act(user: User, options: dict[str, Any]) -> list[Outcome]:
    session, below = options["session"], options["below"]
    if options["verb"] == "pause":
        return agents.pause(user, session, reason=options["reason"], below=below)
    if options["verb"] == "resume":
        return agents.resume(user, session, below=below)
    if options["verb"] == "cancel":
        return agents.cancel(user, session, reason=options["reason"])
    if options["verb"] == "retry":
        return agents.retry(user, session, below=below, from_start=options["from_start"])
    if options["verb"] == "prioritise":
        return agents.prioritise(user, session, priority=options["priority"], below=below)
    return agents.tell(user, session, text=options["text"], below=below)
