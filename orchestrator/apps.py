"""The Django project as an app: commands, templates tags, tasks."""

from importlib import import_module

from django.apps import AppConfig


class OrchestratorConfig(AppConfig):
    """Runs agents and shows them; owns no tables."""

    name = "orchestrator"

    def ready(self) -> None:
        """Each commit rings workers. Celery's application must exist in every process that does."""
        from agents.events import store
        from orchestrator import celery, dispatch  # noqa: F401 - making the application is the point
        from orchestrator.env import environment

        store.on_recorded(dispatch.ring_for)
        for module in environment().agent_modules:
            import_module(module)
