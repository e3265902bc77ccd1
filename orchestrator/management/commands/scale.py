"""manage.py scale: how many worker processes each level wants."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from orchestrator import scaling


class Command(BaseCommand):
    """The autoscaling signal, for people and scripts."""

    help = "Print what each level has to do, and how many worker processes it wants."

    def add_arguments(self, parser: CommandParser) -> None:
        """The one option."""
        parser.add_argument("--json", action="store_true", help="The same as JSON, as /scale gives it.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it."""
        signals = scaling.signals()
        if options["json"]:
            self.stdout.write(json.dumps({level: signal.as_dict() for level, signal in signals.items()}))
            return
        self.stdout.write(
            f"{'level':12}{'running':>8}{'queued':>8}{'overdue':>8}{'oldest':>8}{'workers':>8}{'wanted':>8}"
        )
        for level, signal in signals.items():
            one = signal.demand
            workers = "?" if signal.workers is None else signal.workers
            oldest = f"{one.oldest_seconds:.0f} s"
            self.stdout.write(
                f"{level:12}{one.running:>8}{one.queued:>8}{one.overdue:>8}{oldest:>8}{workers:>8}{signal.wanted:>8}"
            )
