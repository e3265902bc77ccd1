"""People who look at pages."""

import pytest
from django.test import Client

from agents.roles import Role
from tests.factories import make_member, make_project, make_user
from tests.orchestrator.runtime.conftest import trace  # noqa: F401  # a fixture


@pytest.fixture
def project(db):
    """A project."""
    return make_project()


def signed_in(user) -> Client:
    """A browser in which `user` is signed in."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def approver(project):
    """A person who may start, steer and decide."""
    return make_member(project, Role.APPROVER)


@pytest.fixture
def page(approver):
    """The approver's browser."""
    return signed_in(approver)


@pytest.fixture
def viewer_page(project):
    """The browser of somebody who may only look."""
    return signed_in(make_member(project, Role.VIEWER))


@pytest.fixture
def stranger_page(db):
    """The browser of somebody with a project of their own and no part in this one."""
    user = make_user()
    make_project(user)
    return signed_in(user)
