"""Programs that ask, each with a person's token."""

from typing import Any

import pytest
from django.test import Client

from agents.models import User
from agents.roles import Role
from orchestrator.actions import tokens
from tests.factories import make_member, make_mission, make_project
from tests.orchestrator.web.situations import REPORT, ask

JSON = "application/json"


class Program:
    """Asks with a token; the tests' client looks at CSRF as a browser's would be looked at."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.token, self.text = tokens.make(user, name="A program", seconds=3600)
        self.client = Client(enforce_csrf_checks=True, raise_request_exception=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.text}"}

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1{path}", query, headers=self.headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.client.post(
            f"/api/v1{path}",
            {} if body is None else body,
            content_type=JSON,
            headers={**self.headers, **headers},
        )

    def decide(self, approval, verdict: str = "approve", version: int = 1, **fields: Any) -> Any:
        return self.post(f"/approvals/{approval.pk}/decide", {"verdict": verdict, "version": version, **fields})


@pytest.fixture
def project(db):
    """A project."""
    return make_project()


@pytest.fixture
def approver(project):
    """A person who may decide."""
    return make_member(project, Role.APPROVER, "mara")


@pytest.fixture
def program(approver):
    """Theirs."""
    return Program(approver)


@pytest.fixture
def other(project):
    """Another approver's."""
    return Program(make_member(project, Role.APPROVER, "noor"))


@pytest.fixture
def approval(project):
    """An agent of somebody else's mission wants to publish."""
    return ask(make_mission(project))


__all__ = ["REPORT"]
