"""The examples of docs/api.md work as they are written, one after another."""

import json
import os
import re
import shlex
from http import HTTPStatus
from typing import Any

import pytest

from agents.lifecycle import Risk
from orchestrator.env import BASE_DIR
from orchestrator.statuses import STATUSES
from tests.factories import make_mission
from tests.orchestrator.web.situations import ask

PAGE = (BASE_DIR / "docs" / "api.md").read_text()


def examples() -> list[tuple[str, Any]]:
    """Each command with the answer below it."""
    found = re.findall(r"```sh\n(curl .*?)```\n\n```json\n(.*?)```", PAGE, re.DOTALL)
    assert len(found) == PAGE.count("curl ") == PAGE.count("```sh")
    return [(command, json.loads(answer)) for command, answer in found]


def send(client, command: str, values: dict[str, str]):
    """What curl would send. Fails for an option that is not known here."""
    for name, value in values.items():
        command = command.replace(f"${name}", value)
    assert "$" not in command
    words = iter(shlex.split(command.replace("\\\n", " "))[1:])
    method, headers, body, address = "GET", {}, "", ""
    for word in words:
        match word:
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-d":
                method, body = "POST", next(words)
            case "-X":
                method = next(words)
            case _:
                assert not address and word.startswith("http://testserver/"), word
                address = word.removeprefix("http://testserver")
    kind = headers.pop("Content-Type", "application/x-www-form-urlencoded")  # as curl has it
    return client.generic(method, address, body, kind, headers=headers)


def fits(told: Any, shown: Any) -> bool:
    """Is what is shown in what was told? An ellipsis stands for anything but nothing."""
    if isinstance(shown, dict):
        return isinstance(told, dict) and all(name in told and fits(told[name], shown[name]) for name in shown)
    if isinstance(shown, list):
        return len(told) == len(shown) and all(fits(*pair) for pair in zip(told, shown, strict=True))
    return bool(told) if shown == "…" else told == shown and type(told) is type(shown)


@pytest.mark.django_db
def test_the_examples_work_as_they_are_written(program, project, approval):
    second, low = ask(make_mission(project)), ask(make_mission(project), risk=Risk.LOW)
    values = {
        "TOKEN": program.text,
        "QUEENRIGHT": "http://testserver",
        "PROJECT": str(project.pk),
        "APPROVAL": str(approval.pk),
        "SECOND": str(second.pk),
        "LOW": str(low.pk),
    }
    ran = []
    for command, shown in examples():
        if "/undo" in command:
            assert program.decide(low).status_code == 200
        answer = send(program.client, command, values)
        assert fits(answer.json(), shown), f"{command}{os.linesep}{answer.content.decode()}"
        ran.append(command)
    assert len(ran) == 10


def test_an_example_that_shows_something_else_would_be_found():
    assert not fits({"a": 1}, {"a": 1, "b": 2})
    assert not fits({"a": 1}, {"a": True})
    assert not fits({"a": ""}, {"a": "…"})
    assert not fits([1], [])


def test_every_status_is_explained():
    told = set(map(int, re.findall(r"^\| (\d{3}) \|", PAGE, re.MULTILINE)))
    assert told == {*map(int, STATUSES.values()), *map(int, (HTTPStatus.BAD_REQUEST, 500, 503))}
