"""Task names are written down where they are sent, and known where they are run."""

from datetime import timedelta

import pytest
from celery import current_app
from django.conf import settings
from django.db.models import F

from agents.ids import new_id
from memory.documents import Limits
from memory.models import MissionSource
from memory.services import sources
from orchestrator import dispatch, tasks
from tests.factories import make_project, make_user


def test_every_task_that_is_sent_is_registered():
    sent = {dispatch.RUN_NEXT, *(entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values())}
    assert sent <= set(current_app.tasks)


@pytest.mark.django_db
def test_only_old_drafts_are_tidied_away():
    user = make_user()
    project = make_project(user)
    for text in (b"Old words stand here.", b"New words stand here."):
        draft = sources.Draft(new_id(), project, user, 5)
        sources.stage(draft, "a.txt", text, limits=Limits(max_bytes=1000))
    old = MissionSource.objects.order_by("created_at").first()
    MissionSource.objects.filter(pk=old.pk).update(created_at=F("created_at") - timedelta(days=2))
    tasks.tidy()
    assert old not in MissionSource.objects.all()
    assert MissionSource.objects.count() == 1
