"""manage.py prune: delete the states that the rules of their agents' types do not keep."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from orchestrator import pruning


class Command(BaseCommand):
    """What beat does every ten minutes, by hand."""

    help = "Delete states that are too old, and values that nothing names; with --dry-run say what would be deleted."

    def add_arguments(self, parser: CommandParser) -> None:
        """The one option."""
        parser.add_argument("--dry-run", action="store_true", help="Look at all sessions, change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prune, and say what was freed."""
        if options["dry_run"]:
            self._foretell()
            return
        done = pruning.run()
        if done is None:
            self.stdout.write("Somebody else is pruning just now.")
            return
        self.stdout.write(
            f"Looked at {done.sessions} sessions: {done.states} states deleted, "
            f"{done.values} values with {done.freed_bytes} bytes freed."
        )

    def _foretell(self) -> None:
        found = pruning.prospects()
        for one in found:
            self.stdout.write(f"{one.agent_type}: {one.states} states of {one.sessions} sessions would be deleted.")
        if not found:
            self.stdout.write("Nothing would be deleted.")
