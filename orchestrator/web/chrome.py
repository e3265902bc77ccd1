"""What surrounds every page: the project one is in, what waits, theme, where the live feed stands."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol, TypeVar
from uuid import UUID

from django.http import HttpRequest

from agents import access
from agents.errors import Forbidden
from agents.models import Project, User
from agents.roles import Role, includes
from agents.selectors import approvals, letters, missions
from orchestrator.realtime import feed

PROJECT = "project"  # key in the person's session
IS_TOLD = "is_told"  # the same: this browser shows notices
THEMES = ("light", "dark")
MOST_WAITS = 100  # requests that a page knows by name


def person(request: HttpRequest) -> User:
    """Who asks. Pages are only reached signed in."""
    user: Any = request.user
    assert isinstance(user, User), "LoginRequiredMiddleware lets nobody else in"  # noqa: S101  # narrows the type
    return user


class Chrome:
    """The surroundings of one page."""

    def __init__(self, user: User, project: Project, projects: list[Project]) -> None:
        """Made before anything else of the page is read: what comes after `cursor` will be told live."""
        self.user = user
        self.project = project
        self.projects = projects
        self.cursor = feed.cursor(project.pk)

    @cached_property
    def role(self) -> Role:
        """What the person may do here."""
        return access.role_in(self.user, self.project.pk) or Role.VIEWER

    @property
    def may_operate(self) -> bool:
        """May the person start missions and steer agents?"""
        return includes(self.role, Role.OPERATOR)

    @property
    def may_decide(self) -> bool:
        """May the person decide requests?"""
        return includes(self.role, Role.APPROVER)

    @cached_property
    def waits(self) -> list[UUID]:
        """The requests that wait for this person: a hundred of them, the oldest."""
        return approvals.waiting_ids(self.project.pk, MOST_WAITS) if self.may_decide else []

    @cached_property
    def waiting(self) -> int:
        """How many requests wait for this person."""
        return approvals.waiting(self.project.pk) if len(self.waits) == MOST_WAITS else len(self.waits)

    @cached_property
    def missions(self) -> int:
        """How many missions are in flight."""
        return missions.in_flight(self.project.pk)

    @cached_property
    def letters(self) -> int:
        """How many dead letters of theirs nobody has settled."""
        return letters.waiting(self.user).count()


def enter(request: HttpRequest, project_id: UUID | None = None) -> Chrome:
    """The surroundings of a page of `project_id`, or of the project that the person was in last.

    Opening something of another project goes over to that project. Raises Forbidden to who is in no project.
    """
    user = person(request)
    projects = list(access.projects_for(user))
    by_id = {str(project.pk): project for project in projects}
    wanted = str(project_id) if project_id else request.session.get(PROJECT, "")
    project = by_id.get(wanted) or next(iter(projects), None)
    if project is None:
        raise Forbidden("You are in no project yet. Ask an admin of this instance to add you to one.")
    if request.session.get(PROJECT) != str(project.pk):
        request.session[PROJECT] = str(project.pk)
    chrome = Chrome(user, project, projects)
    request.chrome = chrome  # type: ignore[attr-defined]  # read by the context processor below
    return chrome


class OfProject(Protocol):
    """What belongs to a project."""

    project_id: Any


Found = TypeVar("Found", bound=OfProject)


def enter_for(request: HttpRequest, find: Callable[[User, UUID], Found], key: UUID) -> tuple[Chrome, Found]:
    """The surroundings of a page about one thing, and the thing, read after them: what changes later is told live.

    Raises what `find` raises, which is one of `access`.
    """
    try:
        chrome = enter(request)
    except Forbidden:  # who is in no project; what is not theirs looks like what is not there
        find(person(request), key)
        raise
    found = find(chrome.user, key)
    if found.project_id != chrome.project.pk:
        chrome = enter(request, found.project_id)
        found = find(chrome.user, key)
    return chrome, found


def surroundings(request: HttpRequest) -> dict[str, Any]:
    """Context processor: theme, keys, and the chrome of pages that have entered a project."""
    theme = request.COOKIES.get("theme", "")
    return {
        "theme": theme if theme in THEMES else "",
        "keys": request.COOKIES.get("keys") != "off",
        "chrome": getattr(request, "chrome", None),
        "is_told": IS_TOLD in request.session if hasattr(request, "session") else False,
    }
