"""manage.py dead_letters: list, replay and discard what failed for good."""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.errors import DomainError
from agents.models import User
from agents.selectors import letters as selectors
from orchestrator.actions import letters


class Command(BaseCommand):
    """The page of dead letters, for a terminal. What is done is done, and audited, in a person's name."""

    help = "List, replay or discard what failed for good."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do, as whom, with which letters."""
        parser.add_argument("verb", choices=["list", "replay", "discard"])
        parser.add_argument("letters", nargs="*", type=UUID, help="Ids, as the list shows them.")
        parser.add_argument("--user", required=True, help="Name of the person in whose name this happens.")
        parser.add_argument("--trace", action="store_true", help="Show where each broke.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it to each; an error names its letter, and the others go on."""
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user “{options['user']}”.")
        if options["verb"] == "list":
            self._list(user, with_trace=options["trace"])
            return
        act = letters.replay if options["verb"] == "replay" else letters.discard
        failed = 0
        for letter_id in options["letters"]:
            try:
                self.stdout.write(f"{letter_id} {act(user, letter_id).status}")
            except DomainError as error:
                failed += 1
                self.stderr.write(f"{letter_id} {error}")
        if failed:
            raise CommandError(f"{failed} of {len(options['letters'])} could not be settled.")

    def _list(self, user: User, *, with_trace: bool) -> None:
        found = list(selectors.waiting(user))
        for letter in found:
            self.stdout.write(
                f"{letter.pk} {letter.last_at:%Y-%m-%d %H:%M:%S} {letter.kind} “{letter.title}” "
                f"{letter.count} times {letter.error_code}: {letter.message}"
            )
            if with_trace and selectors.may_see_trace(user, letter):
                self.stdout.write(letter.trace)
        if not found:
            self.stdout.write("Nothing has failed for good.")
