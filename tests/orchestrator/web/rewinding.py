"""Agents whose states are rewound on pages, and the forms of those pages as a browser sends them."""

from html.parser import HTMLParser

from agents.models import AgentSession
from orchestrator.runtime import agent_types as agent_types_of_runner
from tests import agent_types
from tests.factories import make_mission
from tests.orchestrator.runtime.conftest import run_all


def make_agent(project, user, agent_type: str = "test.worker", **brief) -> AgentSession:
    """An agent that has run as far as it can by itself."""
    session = make_mission(
        project,
        user,
        agent_type=agent_type,
        level=agent_types_of_runner.agent_type(agent_type).level,
        run_input=agent_types.Brief(**brief).model_dump(mode="json"),
    )
    run_all()
    session.refresh_from_db()
    return session


class Form(HTMLParser):
    """The form of a page: what a browser would send of it, before a person does anything."""

    def __init__(self, answer):
        super().__init__()
        self.sent = {}
        self.offered = {}  # values of each group of radio buttons
        self._area = self._select = ""
        self._open = False
        self.feed(answer.content.decode().split("<main", 1)[1])

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "form":
            self._open = given.get("method") == "post"
        if not self._open:
            return
        if tag == "textarea":
            self._area, self.sent[name] = name, ""
        elif tag == "select":
            self._select = name
        elif tag == "option":
            self._option(given)
        elif tag == "input":
            self._input(name, value, given)

    def _option(self, given):
        if self._select and (self._select not in self.sent or "selected" in given):
            self.sent[self._select] = given.get("value")

    def _input(self, name, value, given):
        if given.get("type") not in ("radio", "checkbox"):
            self.sent[name] = value
            return
        self.offered.setdefault(name, []).append(value)
        if "checked" in given:
            self.sent[name] = value

    def handle_data(self, data):
        if self._area:
            self.sent[self._area] += data.removeprefix("\n")
        elif self._select and self.sent.get(self._select, "") is None:
            self.sent[self._select] = data

    def handle_endtag(self, tag):
        if tag == "textarea":
            self._area = ""
        elif tag == "select":
            self._select = ""
        elif tag == "form":
            self._open = False

    @property
    def effects(self) -> dict[str, list[str]]:
        """The choices that are offered for each side effect."""
        return {name: values for name, values in self.offered.items() if name.startswith("effect-")}
