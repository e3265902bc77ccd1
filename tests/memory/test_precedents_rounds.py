"""What a round of making precedents costs while nothing is to be made."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.lifecycle import SessionStatus
from agents.models import Approval
from agents.roles import Role
from benchmarks import desk, missions
from memory import embedders
from memory.models import Precedent
from memory.services import precedents as services
from tests.agents.test_leases import explained, rows_of
from tests.factories import make_member, make_project


@pytest.mark.django_db
def test_a_round_reads_the_open_ones_however_many_were_decided():
    project = make_project()
    approver = make_member(project, Role.APPROVER)
    agent = missions.at_rest(project, approver, SessionStatus.WAITING_APPROVAL)
    missions.keep([agent])
    wait = desk.wait_of(agent)
    wait.save()
    past = timezone.now() - timedelta(days=3)
    each = [desk.request_of(wait, number) for number in range(1500)]
    for number, one in enumerate(each):
        one.position = number
        if number >= 200:
            one.status, one.verdict, one.decided_how, one.decided_by = "approved", "approve", "person", approver
            one.decided_at = one.dispatched_at = past
    Approval.objects.bulk_create(each, batch_size=500)
    vector = embedders.active().embed(["All the same."])[0]
    known = {"vector": vector, "claimed_until": past, "project": project}
    Precedent.objects.bulk_create(
        [Precedent(approval=one, tool_name=one.tool_name, decided_at=one.decided_at, **known) for one in each]
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE approvals, approval_precedents")
    with CaptureQueriesContext(connection) as captured:
        services.gather()
    asked = [query["sql"] for query in captured.captured_queries if "approval_precedents" in query["sql"]]
    assert len(asked) == 3
    for statement in asked:
        assert max(rows_of(explained(statement)), default=0) <= 220, statement
