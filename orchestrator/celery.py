"""The Celery application."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")

app = Celery("queenright")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.imports = ["orchestrator.tasks"]
