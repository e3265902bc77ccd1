"""The memory app."""

from django.apps import AppConfig


class MemoryConfig(AppConfig):
    """What agents remember and how it is found."""

    name = "memory"
    default_auto_field = "django.db.models.BigAutoField"
