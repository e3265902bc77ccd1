"""A chat model behind OpenAI's chat completions protocol, real HTTP on loopback, that can be made to fail.

As a class in tests, and as a process for whole missions: `python -m tests.model_server PORT`.
"""

import json
import re
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Self

from tests.model_thoughts import ORDER, Prompt, Thought, think

MODEL = "thoughtful-1"
TRICKLE = 0.05  # seconds between two bytes
EVERY_DIALECT = frozenset({"tools", "response_format"})


@dataclass(frozen=True)
class Turn:
    """How one request is answered; without any argument: well.

    `says` turns the good answer into what the model says instead. `in_words`: as plain text, though a tool
    was offered. `raw` is the whole body instead of a completion. `cut` ends the connection in the middle of
    the body, `silent` says nothing at all, `trickles` sends the body byte by byte.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str = "The server said no."
    code: str | None = None
    says: Callable[[Thought], str] = json.dumps
    in_words: bool = False
    finish: str = "stop"
    raw: bytes | None = None
    usage: bool = True
    cut: bool = False
    silent: bool = False
    trickles: bool = False


GOOD = Turn()


@dataclass(frozen=True)
class Received:
    """A request for a completion, as it came."""

    headers: Message
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """All messages, one below the other."""
        return "\n".join(message["content"] or "" for message in self.body["messages"])

    @property
    def dialect(self) -> str:
        """How the answer's form was asked for: tools, response_format or text."""
        return next((name for name in sorted(EVERY_DIALECT) if name in self.body), "text")

    @property
    def purpose(self) -> str:
        """Which form is asked for, by its schema's name."""
        if tools := self.body.get("tools"):
            return str(tools[0]["function"]["name"])
        if wanted := self.body.get("response_format"):
            return str(wanted["json_schema"]["name"])
        named: list[str] = re.findall(r'"title": "([a-z]+)"', self.text)
        return named[-1]


class ModelServer:
    """A server with one model. `script` says how the next requests are answered, then all are answered well.

    `speaks`: the dialects that it knows; a request in another gets status 400. `key`: any other gets 401.
    The model obeys `ORDER` wherever it stands outside of the material that it was given.
    """

    def __init__(
        self,
        *script: Turn,
        port: int = 0,
        speaks: frozenset[str] = EVERY_DIALECT,
        models: Sequence[str] = (MODEL,),
        key: str | None = None,
    ) -> None:
        """Listens at once, on a free port if `port` is 0; answers once it is entered."""
        self.script = deque(script)
        self.speaks = speaks
        self.models = models
        self.key = key
        self.received: list[Received] = []
        self.closing = Event()
        self._lock = Lock()
        self._server = _QuietServer(("127.0.0.1", port), _Handler)
        self._server.owner = self
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def base_url(self) -> str:
        """The address that clients are given."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve(self) -> None:
        """Answer until interrupted."""
        self._server.serve_forever()

    def reset(self) -> None:
        """Forget the script and what was received, and know every dialect."""
        with self._lock:
            self.script.clear()
            self.received.clear()
        self.speaks = EVERY_DIALECT

    def next_turn(self, received: Received) -> Turn:
        """Keep `received` and say how it is to be answered."""
        with self._lock:
            self.received.append(received)
            scripted = self.script.popleft() if self.script else None
        if scripted:
            return scripted
        if received.body["model"] not in self.models:
            return Turn(status=404, error=f"The model {received.body['model']} does not exist.")
        if received.dialect != "text" and received.dialect not in self.speaks:
            return Turn(status=400, error=f"Unrecognized request argument supplied: {received.dialect}")
        return GOOD


class _QuietServer(ThreadingHTTPServer):
    owner: ModelServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is part of the game; anything else is printed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _QuietServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Say nothing: tests read `received`."""

    def do_GET(self) -> None:
        """The list of models."""
        if self.path != "/v1/models":
            self._send(404, {}, _json({"error": {"message": "no such path"}}))
        elif self._allowed():
            models = [{"id": name, "object": "model"} for name in self.server.owner.models]
            self._send(200, {}, _json({"object": "list", "data": models}))

    def do_POST(self) -> None:
        """A completion."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/v1/chat/completions":
            self._send(404, {}, _json({"error": {"message": "no such path"}}))
        elif self._allowed():
            received = Received(self.headers, json.loads(body))
            self._take(self.server.owner.next_turn(received), received)

    def _allowed(self) -> bool:
        key = self.server.owner.key
        if key is None or self.headers["Authorization"] == f"Bearer {key}":
            return True
        wrong = {"error": {"message": f"Incorrect API key: {self.headers['Authorization']}"}}
        self._send(401, {}, _json(wrong))
        return False

    def _take(self, turn: Turn, received: Received) -> None:
        if turn.silent:
            self.server.owner.closing.wait()
            self.close_connection = True
            return
        if turn.raw is not None:
            body = turn.raw
        elif turn.status >= 400:
            body = _json({"error": {"message": turn.error, "code": turn.code}})
        else:
            body = _json(_completion(turn, received))
        self._send(turn.status, turn.headers, body, turn)

    def _send(self, status: int, headers: Mapping[str, str], body: bytes, turn: Turn = GOOD) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if turn.cut:
            self.wfile.write(body[: len(body) // 2])
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif turn.trickles:
            self._trickle(body)
        else:
            self.wfile.write(body)

    def _trickle(self, body: bytes) -> None:
        for byte in body:
            if self.server.owner.closing.is_set():
                break
            self.wfile.write(bytes([byte]))
            time.sleep(TRICKLE)
        self.close_connection = True


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _completion(turn: Turn, received: Received) -> dict[str, Any]:
    prompt = Prompt.read(received.text)
    said = "HACKED" if ORDER in prompt.outside else turn.says(think(received.purpose, prompt))
    message: dict[str, Any] = {"role": "assistant", "content": said}
    if "tools" in received.body and not turn.in_words:
        function = {"name": received.purpose, "arguments": said}
        calls = [{"id": "call_0", "type": "function", "function": function}]
        message = {"role": "assistant", "content": None, "tool_calls": calls}
    completion = {
        "id": "completion",
        "object": "chat.completion",
        "created": 0,
        "model": received.body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": turn.finish}],
    }
    if turn.usage:
        taken, given = len(received.text.split()), len(said.split())
        completion["usage"] = {
            "prompt_tokens": taken,
            "completion_tokens": given,
            "total_tokens": taken + given,
        }
    return completion


def main() -> None:
    """Serve on the port of the first argument until interrupted."""
    server = ModelServer(port=int(sys.argv[1]))
    sys.stdout.write(f"{MODEL} at {server.base_url}\n")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        server.serve()


if __name__ == "__main__":
    main()
