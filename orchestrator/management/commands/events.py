"""manage.py events: check what happened, write tables back from it, archive it."""

import re
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from agents.errors import DomainError
from orchestrator.actions import events


class Command(BaseCommand):
    """Ends with 1 where something is wrong, with 0 where nothing is."""

    help = "Check the chains of events and the tables against them, rebuild the tables, archive finished missions."

    def add_arguments(self, parser: CommandParser) -> None:
        """One subcommand each."""
        commands = parser.add_subparsers(dest="command", required=True)
        verify = commands.add_parser("verify", help="Check all chains, and the tables against them.")
        rebuild = commands.add_parser("rebuild", help="Write rows back that are not as their events tell.")
        for command in (verify, rebuild):
            command.add_argument("--mission", type=UUID, help="only this one")
        archive = commands.add_parser("archive", help="Move the events of finished missions to archives.")
        archive.add_argument("--older-than", type=_days, required=True, help="for example 90d")
        for command in (rebuild, archive):
            command.add_argument("--dry-run", action="store_true", help="change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it. Exits with 1 where something is wrong or was refused."""
        try:
            is_well = {"verify": self._verify, "rebuild": self._rebuild, "archive": self._archive}[options["command"]](
                options
            )
        except DomainError as error:
            raise CommandError(str(error)) from error
        if not is_well:
            raise SystemExit(1)

    def _verify(self, options: dict[str, Any]) -> bool:
        verification = events.verification(options["mission"])
        faults = 0
        for fault in verification.faults():
            faults += 1
            self.stdout.write(str(fault))
        self.stdout.write(
            f"{verification.events} events of {verification.aggregates} aggregates: "
            f"{f'{faults} faults' if faults else 'all is well'}."
        )
        return not faults

    def _rebuild(self, options: dict[str, Any]) -> bool:
        if options["dry_run"]:
            return self._verify(options)
        left = 0
        for one in events.rebuild(options["mission"]):
            left += bool(one.left)
            self.stdout.write(f"{one.fault}: {one.left or 'rebuilt'}")
        self.stdout.write(f"{left} faults are left." if left else "All is as the events tell.")
        return not left

    def _archive(self, options: dict[str, Any]) -> bool:
        refused = total = 0
        for one in events.archive(timezone.now() - options["older_than"], dry_run=options["dry_run"]):
            refused += bool(one.refusal)
            total += one.events
            self.stdout.write(f"{one.mission_id}: {one.refusal or f'{one.events} events'}")
        would_be = "would be" if options["dry_run"] else "were"
        self.stdout.write(f"{total} events {would_be} archived.")
        return not refused


def _days(told: str) -> timedelta:
    if not re.fullmatch(r"\d{1,5}d", told):
        raise ArgumentTypeError(f"{told} is no number of days like 90d")
    return timedelta(days=int(told[:-1]))
