"""manage.py delete_data: the data folder, gone for good."""

import shutil
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orchestrator.env import environment
from orchestrator.servers.account import ServerError
from orchestrator.servers.folder import own


class Command(BaseCommand):
    """Removes the data folder, if it is one and nothing runs on it."""

    help = "Delete everything that is kept: database, uploads, published reports."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Refuses a folder that Queenright has never run on, for a slip in QUEENRIGHT_DATA could name any."""
        data = environment().data
        if not (data / "up.lock").exists():
            raise CommandError(f"Queenright has never run on {data}: not removed.")
        try:
            own(data)
        except ServerError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"removing {data}")
        shutil.rmtree(data)
