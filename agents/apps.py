"""The agents app."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """What an agent is and what it may do."""

    name = "agents"
    default_auto_field = "django.db.models.BigAutoField"
