"""Statements that libpq sends itself: what comes back, and that the planner finds its indexes."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection, transaction
from psycopg import Connection

from agents.checkpoints import sql
from agents.checkpoints.statements import Statement
from tests.agents.checkpoints.conftest import make_session

ECHO = Statement(
    "echo",
    """SELECT %(text)s::text, %(id)s::uuid, %(data)s::bytea, %(number)s::bigint,
              %(text)s::text || '%%', %(list)s::bytea[]""",
)
GIVEN = {"text": "naïve", "id": UUID(int=7), "data": b"\0\xff'", "number": 2**40, "list": [b"\0\\", b'"', b""]}
ROWS = 3000
THREADS = 30
TABLES = ("agent_values", "agent_channel_versions", "agent_state_writes", "agent_states")


@pytest.fixture
def raw(transactional_db: None) -> Connection[Any]:
    """psycopg's connection of this thread."""
    connection.ensure_connection()
    return connection.connection


@pytest.fixture(params=["by libpq", "unprepared", "in a transaction"])
def each_way(request: pytest.FixtureRequest, raw: Connection[Any]) -> Iterator[Connection[Any]]:
    """The connection in each state that makes a difference."""
    threshold = raw.prepare_threshold
    if request.param == "unprepared":
        raw.prepare_threshold = None
    if request.param == "in a transaction":
        with transaction.atomic():
            yield raw
    else:
        yield raw
    raw.prepare_threshold = threshold


def test_what_is_given_comes_back_whichever_way_it_goes(each_way: Connection[Any]):
    for _ in range(2):
        assert ECHO.rows(each_way, GIVEN) == [("naïve", UUID(int=7), b"\0\xff'", 2**40, "naïve%", GIVEN["list"])]
    assert ECHO.rows(each_way, dict.fromkeys(GIVEN)) == [(None,) * 6]
    assert ECHO.rows(each_way, GIVEN | {"list": []})[0][-1] == []


def test_an_error_has_its_own_class_and_the_connection_stays_usable(raw: Connection[Any]):
    failing = Statement("failing", "SELECT 1 / %(number)s::int")
    for _ in range(2):
        with pytest.raises(psycopg.errors.DivisionByZero):
            failing.rows(raw, {"number": 0})
    assert failing.rows(raw, {"number": 1}) == [(1,)]
    with pytest.raises(psycopg.errors.UndefinedColumn):
        Statement("unknown", "SELECT unknown").rows(raw, {})


def test_what_psycopg_lets_the_server_forget_is_prepared_again(raw: Connection[Any]):
    assert ECHO.rows(raw, GIVEN)
    with psycopg.Cursor(raw) as cursor:
        cursor.execute("SELECT 1", prepare=True)
        for statement in ("BEGIN", "ROLLBACK", "SELECT 1"):
            cursor.execute(statement)
    assert raw.execute("SELECT name FROM pg_prepared_statements").fetchall() == []
    assert ECHO.rows(raw, GIVEN)
    assert ECHO.rows(raw, GIVEN)


def test_a_transaction_takes_back_what_was_written_in_it(raw: Connection[Any]):
    writing = Statement("writing", "UPDATE written SET number = %(number)s::int RETURNING 1")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE written AS SELECT 1 AS number")
    with transaction.atomic():
        assert writing.rows(raw, {"number": 2})
        transaction.set_rollback(True)
    assert raw.execute("SELECT number FROM written").fetchall() == [(1,)]
    assert writing.rows(raw, {"number": 3})
    assert raw.execute("SELECT number FROM written").fetchall() == [(3,)]


def fill(session: UUID, rows: int) -> None:
    """Rows of a long thread, as the saver would write them."""
    names: dict[str, Any] = {"session": session, "rows": rows}
    statements = (
        """INSERT INTO agent_values (space_id, hash, kind, body)
           SELECT %(session)s, decode(md5(n::text), 'hex'), 'json', to_json(n) FROM generate_series(1, %(rows)s) n""",
        """INSERT INTO agent_channel_versions (session_id, checkpoint_ns, channel, version, form, items)
           SELECT %(session)s, '', 'said', n::text, 'list', '' FROM generate_series(1, %(rows)s) n""",
        """INSERT INTO agent_state_writes (session_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, form, items)
           SELECT %(session)s, '', md5(n::text)::uuid, 'task', 0, 'said', 'list', ''
           FROM generate_series(1, %(rows)s) n""",
        """INSERT INTO agent_states (state_id, project_id, session_id, checkpoint_ns, checkpoint_id, state_hash,
                                     state_data, is_current)
           SELECT md5(session_id::text || n)::uuid, project_id, session_id, '', md5(session_id::text || n)::uuid, '',
                  jsonb_build_object('channel_versions', jsonb_build_object('said', n::text)), false
           FROM generate_series(1, %(rows)s) n, agent_sessions WHERE session_id = %(session)s""",
    )
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, names)


def plan_of(statement: Statement) -> str:
    """The plan that is kept for all parameters."""
    with psycopg.Cursor(connection.connection) as cursor:
        return "\n".join(row for (row,) in cursor.execute(b"EXPLAIN (GENERIC_PLAN) " + statement.numbered))


@pytest.mark.django_db
@pytest.mark.parametrize("threads", [1, THREADS])
@pytest.mark.parametrize("is_analyzed", [False, True], ids=["unknown sizes", "known sizes"])
def test_reads_and_writes_go_by_indexes_whether_or_not_the_planner_knows_sizes(is_analyzed: bool, threads: int):
    for session in [uuid4() for _ in range(threads)]:
        make_session(session, session)
        fill(session, ROWS // threads)
    with connection.cursor() as cursor:
        for table in TABLES:  # autovacuum may have seen them when they were empty
            cursor.execute("SELECT pg_clear_relation_stats('public', %s)", [table])
        if is_analyzed:
            cursor.execute(f"ANALYZE {', '.join(TABLES)}")
    plans = [
        plan_of(statement)
        for statement in (
            sql.GET_LATEST,
            sql.GET_EXACT,
            sql.VALUES,
            sql.VERSIONS,
            sql.PUT_WRITES,
            sql.FENCED_PUT_WRITES,
            sql.PUT,
            sql.FENCED_PUT,
        )
    ]
    for plan in plans:
        assert "agent_" in plan
        assert "Seq Scan on agent_states" not in plan, plan
        assert "Seq Scan on agent_values" not in plan, plan
        assert "Seq Scan on agent_state_writes" not in plan, plan
        assert "Seq Scan on agent_channel_versions" not in plan, plan
