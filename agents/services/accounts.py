"""People and projects."""

from django.db import transaction

from agents.models import Membership, Project, User
from agents.roles import Role


@transaction.atomic
def create_project(name: str, slug: str, *, owner: User) -> Project:
    """A project with its first admin."""
    project = Project.objects.create(name=name, slug=slug)
    Membership.objects.create(project=project, user=owner, role=Role.ADMIN)
    return project


@transaction.atomic
def create_first_user(name: str, password: str) -> User | None:
    """The first user, who may do everything, with a first project; None when there is a user already."""
    Project.objects.select_for_update().first()
    if User.objects.exists():
        return None
    user = User.objects.create_superuser(username=name, email="", password=password)
    create_project("First project", "first", owner=user)
    return user
