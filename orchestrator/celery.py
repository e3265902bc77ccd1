"""The Celery application."""

import os
import warnings

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")

app = Celery("queenright")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.imports = ["orchestrator.tasks"]
warnings.filterwarnings("ignore", "You're running the worker with superuser privileges")  # the machine is one's own
