"""manage.py first_user: somebody who can sign in."""

from typing import Any

from django.core.management.base import BaseCommand

from orchestrator.actions.accounts import ensure_first_user


class Command(BaseCommand):
    """Makes the first user where there is none, and shows the password this once."""

    help = "Make the first user and print name and password; nothing where there is a user."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print `name: …` and `password: …`, or nothing."""
        if made := ensure_first_user():
            self.stdout.write(f"name: {made.name}\npassword: {made.password}")
