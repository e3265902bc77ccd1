"""manage.py project_limit: how many agents of a project run at once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.errors import DomainError, InvalidInput
from agents.models import Project, User
from orchestrator.actions import projects


class Command(BaseCommand):
    """The form on the page System, for a terminal. It happens, and is audited, in a person's name."""

    help = "Set how many agents of a project run at once, or with none what QUEENRIGHT_MAX_RUNNING says."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which project, how many, as whom."""
        parser.add_argument("project", help="The project's slug.")
        parser.add_argument("most", help="A number from 1, or none.")
        parser.add_argument("--user", required=True, help="Name of an admin of the project.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Set it."""
        user = User.objects.filter(username=options["user"]).first()
        project = Project.objects.filter(slug=options["project"]).first()
        if user is None or project is None:
            raise CommandError("There is no such user or project.")
        given = options["most"]
        if given != "none" and not (given.isascii() and given.isdigit()):
            raise CommandError("Give a number from 1, or none.")
        try:
            projects.limit(user, project.pk, None if given == "none" else int(given))
        except InvalidInput as error:
            raise CommandError(error.data["fields"]["max_running"]) from error
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{project.slug}: {given}")
