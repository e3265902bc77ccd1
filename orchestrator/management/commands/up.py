"""manage.py up: everything on this machine, in one terminal."""

import asyncio
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orchestrator.env import environment
from orchestrator.servers.account import ServerError
from orchestrator.stack import Stack
from orchestrator.supervisor import Console


class Command(BaseCommand):
    """Starts databases, web, workers, beat and sweeper, and ends them all on Ctrl-C."""

    help = "Run everything on this machine. PORT and QUEENRIGHT_DATA say where; Ctrl-C ends it."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until Ctrl-C. Exit status 1 with a sentence if it cannot start."""
        if sys.platform != "linux":
            raise CommandError(
                "This needs Linux, whose kernel ends children with their parent. Elsewhere: docker compose."
            )
        sys.exit(asyncio.run(_run()))


async def _run() -> int:
    console = Console(sys.stdout)
    try:
        return await Stack(environment(), console).run()
    except (ServerError, OSError) as error:
        raise CommandError(str(error)) from error
