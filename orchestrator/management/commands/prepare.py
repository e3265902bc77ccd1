"""manage.py prepare: the database made ready, static files gathered, the first user made."""

import sys
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from orchestrator.env import environment
from orchestrator.servers.account import ServerError
from orchestrator.servers.provision import provision


class Command(BaseCommand):
    """Whatever a start needs that is not a process. Done again it changes nothing."""

    help = "Make role, extension, tables, static files and first user where they are missing."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """The first user's name and password go to standard output, all else to standard error."""
        env = environment()
        try:
            provision(env.database_dsn, env.database_role, embedded=env.database_url is None)
        except ServerError as error:
            raise CommandError(str(error)) from error
        call_command("migrate", verbosity=1, interactive=False, stdout=sys.stderr)
        call_command("collectstatic", verbosity=0, interactive=False, stdout=sys.stderr)
        call_command("first_user", stdout=self.stdout)
