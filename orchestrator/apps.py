"""The Django project as an app: commands, templates tags, tasks."""

from importlib import import_module

from django.apps import AppConfig


class OrchestratorConfig(AppConfig):
    """Runs agents and shows them; owns no tables."""

    name = "orchestrator"

    def ready(self) -> None:
        """Each commit rings workers and tells pages. Celery's application must exist in every process that does."""
        from agents.events import store
        from agents.services import letters
        from orchestrator import celery, dispatch, presence  # noqa: F401 - making the application is the point
        from orchestrator.env import environment
        from orchestrator.realtime import feed

        store.on_recorded(dispatch.ring_for)
        store.on_recorded(feed.announce)
        letters.on_changed(feed.announce_letters)
        presence.announce()
        for module in environment().agent_modules:
            import_module(module)
        if environment().graphs:  # what they are imported with is large
            from orchestrator.runtime import imported_graphs

            for file in environment().graphs:
                imported_graphs.register(file)
