"""Task names are written down where they are sent, and known where they are run."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from celery import current_app
from django.conf import settings
from django.db.models import F

from agents.ids import new_id
from agents.roles import Level
from memory.documents import Limits
from memory.models import MissionSource
from memory.services import sources
from orchestrator import dispatch, tasks
from orchestrator.env import BASE_DIR
from tests.factories import make_project, make_user


def test_every_task_that_is_sent_is_registered():
    sent = {dispatch.RUN_NEXT, *(entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values())}
    assert sent <= set(current_app.tasks)


def in_a_new_process(program: str) -> str:
    """What a program prints that only sets Django up."""
    done = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup()\n{program}"],
        cwd=BASE_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "orchestrator.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_each_process_that_sets_django_up_rings_through_our_broker():
    """Whose Celery application was not made would send to nobody, and the sweeper's ring comes seconds later."""
    told = in_a_new_process("from celery import current_app; print(current_app.main, current_app.conf.broker_url)")
    assert told.split() == ["queenright", settings.CELERY_BROKER_URL]


def test_a_worker_has_the_engine_in_memory_before_its_first_task():
    program = """
import sys
from celery import current_app
print("langgraph.pregel" in sys.modules)
current_app.loader.import_default_modules()
print("langgraph.pregel" in sys.modules)
"""
    assert in_a_new_process(program).split() == ["False", "True"]


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


@pytest.mark.parametrize("times", [1, 10, 11, 95, 500])
def test_a_ring_for_a_crowd_is_a_few_messages_that_are_passed_on_to_one_for_each(monkeypatch, times):
    sent: list[list] = []
    monkeypatch.setattr(dispatch.current_app, "send_task", lambda name, args, **options: sent.append(args))
    monkeypatch.setattr(tasks.runner, "run_next", lambda level: heard.append(level))
    heard: list[str] = []
    dispatch.ring(Level.WORKER, times)
    assert len(sent) <= 10
    while sent:
        before = len(sent)
        tasks.run_next(*sent.pop())
        assert len(sent) < before + 10
    assert heard == [Level.WORKER] * times
