"""A key for states from the environment reaches every way in which states are stored."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from agents.checkpoints import StateKeyMissing
from orchestrator import conf
from orchestrator.actions import archives
from orchestrator.env import environment
from orchestrator.runtime import agent_types, runner, saving
from orchestrator.runtime.states import AtRest
from orchestrator.web.history import History
from tests.agents.checkpoints.checkpoints import config_for, put, values_of
from tests.factories import make_member, make_mission, make_project

pytestmark = pytest.mark.django_db(transaction=True)
MARK = "honeycomb"
TABLES = ("agent_states", "agent_channel_versions", "agent_state_writes", "agent_values")


def forget() -> None:
    for made in (environment, conf.state_keys, saving.saver, saving.unfenced, agent_types.graph_for):
        made.cache_clear()


@pytest.fixture
def use_keys(monkeypatch):
    """Gives the environment keys, as a restart with other variables does."""

    def use(key: str, old: str = "") -> None:
        for name, value in (("QUEENRIGHT_STATE_KEY", key), ("QUEENRIGHT_OLD_STATE_KEYS", old)):
            monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
        forget()

    yield use
    monkeypatch.undo()
    forget()


def readable() -> list[str]:
    """The tables in which the mark can be read, in bytes as well as in text."""
    found = []
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT one::text FROM {table} one")
            told = "".join(row for (row,) in cursor.fetchall())
            if MARK in told or MARK.encode().hex() in told:
                found.append(table)
    return found


def test_a_mission_of_an_encrypted_installation_stores_nothing_readable(use_keys, trace):
    use_keys("k" * 32)
    session = make_mission(run_input={"name": MARK, "below": [], "needs": "all", "tool": "leave_trace", "fail": []})
    runner.run_next(session.level)
    thread = str(session.pk)
    assert values_of(saving.saver(), config_for(thread))["name"] == MARK
    assert readable() == []
    use_keys("")
    with pytest.raises(StateKeyMissing):
        saving.saver().get_tuple(config_for(thread))
    assert "which is not given" in History(session, {}).state.fault
    use_keys("o" * 16, "k" * 32)
    assert values_of(saving.saver(), config_for(thread))["name"] == MARK


def test_a_session_file_is_plain_and_what_it_is_imported_into_is_not(use_keys):
    use_keys("k" * 32)
    project = make_project()
    session = make_mission(project)
    put(saving.saver(), config_for(str(session.pk), __lease=AtRest()), {"plan": MARK, "text": MARK * 50})
    user = make_member(project)
    file = b"".join(archives.export_session(user, session.pk))
    assert MARK.encode() in file
    new = archives.import_session(user, project.pk, file=SimpleUploadedFile("session.json", file))
    assert values_of(saving.saver(), config_for(str(new.pk))) == {"plan": MARK, "text": MARK * 50}
    assert readable() == []
