"""The Django project as an app: commands, templates tags, tasks."""

from django.apps import AppConfig


class OrchestratorConfig(AppConfig):
    """Runs agents and shows them; owns no tables."""

    name = "orchestrator"

    def ready(self) -> None:
        """Celery's application must exist in every process that rings a worker; each commit tells the pages."""
        from agents.events import store
        from orchestrator import celery, presence  # noqa: F401
        from orchestrator.realtime import feed

        store.on_recorded(feed.announce)
        presence.announce()
