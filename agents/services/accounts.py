"""People and projects."""

from uuid import UUID

from django.db import transaction

from agents.errors import InvalidInput, NotFound
from agents.models import Membership, Project, User
from agents.roles import Role


@transaction.atomic
def create_project(name: str, slug: str, *, owner: User) -> Project:
    """A project with its first admin."""
    project = Project.objects.create(name=name, slug=slug)
    Membership.objects.create(project=project, user=owner, role=Role.ADMIN)
    return project


MOST_RUNNING = 100_000


@transaction.atomic
def set_max_running(project_id: UUID, most: int | None) -> int | None:
    """How many agents of a project run at once, None: as many as of any; returns what it was.

    Those that run already go on. Raises NotFound, InvalidInput.
    """
    if most is not None and not 1 <= most <= MOST_RUNNING:
        raise InvalidInput(fields={"max_running": f"Give a number from 1 to {MOST_RUNNING:,}, or nothing."})
    project = Project.objects.select_for_update(no_key=True).filter(pk=project_id).first()
    if project is None:
        raise NotFound
    previous, project.max_running = project.max_running, most
    project.save(update_fields=["max_running"])
    return previous


@transaction.atomic
def create_first_user(name: str, password: str) -> User | None:
    """The first user, who may do everything, with a first project; None when there is a user already."""
    Project.objects.select_for_update().first()
    if User.objects.exists():
        return None
    user = User.objects.create_superuser(username=name, email="", password=password)
    create_project("First project", "first", owner=user)
    return user
