"""The Django project as an app: commands, templates tags, tasks."""

from django.apps import AppConfig


class OrchestratorConfig(AppConfig):
    """Runs agents and shows them; owns no tables."""

    name = "orchestrator"

    def ready(self) -> None:
        """Celery's application must exist in every process that rings a worker."""
        from orchestrator import celery  # noqa: F401
