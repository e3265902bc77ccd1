"""What a browser sends of a form as it stands on a page."""

from html.parser import HTMLParser
from typing import Any


class _Fields(HTMLParser):
    """The controls of one form that would be sent."""

    def __init__(self, form_id: str) -> None:
        super().__init__()
        self.form_id = form_id
        self.sent: dict[str, list[str]] = {}
        self._inside = False
        self._open = self._select = ""
        self._text: list[str] = []

    def _add(self, name: str, value: str) -> None:
        self.sent.setdefault(name, []).append(value)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        has = dict(attrs)
        if tag == "form":
            self._inside = has.get("id") == self.form_id
        if not self._inside:
            return
        if tag == "input" and has.get("type") not in ("checkbox", "radio"):
            self._add(has["name"], has.get("value", ""))
        elif tag == "input" and "checked" in has:
            self._add(has["name"], has.get("value", "on"))
        elif tag == "textarea":
            self._open, self._text = has["name"], []
        elif tag == "select":
            self._select = has["name"]
        elif tag == "option" and "selected" in has and self._select:
            self._add(self._select, has["value"])

    def handle_data(self, data: str) -> None:
        if self._open:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._open:
            self._add(self._open, "".join(self._text).removeprefix("\n"))
            self._open = ""
        elif tag == "select":
            self._select = ""
        elif tag == "form":
            self._inside = False


def fields(response: Any, form_id: str) -> dict[str, list[str]]:
    """Names and values."""
    found = _Fields(form_id)
    found.feed(response.content.decode())
    return found.sent
