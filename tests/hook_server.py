"""A receiver of webhooks and a push service: real HTTP on loopback, which keeps what came and answers as it is told."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self


@dataclass(frozen=True)
class Got:
    """One request as it came."""

    path: str
    headers: Message
    body: bytes


class Quiet(ThreadingHTTPServer):
    """Who hangs up early is no fault of the server."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


@dataclass
class HookServer:
    """A context. Answers with `code`, `headers` and `text`; waits `seconds` first; `on_call` runs before it answers."""

    code: int = 204
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0
    on_call: Callable[[], object] = lambda: None
    got: list[Got] = field(default_factory=list)

    def __enter__(self) -> Self:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                server.got.append(Got(self.path, self.headers, body))
                server.on_call()
                time.sleep(server.seconds)
                text = server.text.encode()
                self.send_response(server.code)
                for name, value in server.headers.items():
                    self.send_header(name, value)
                if server.code != 204:
                    self.send_header("content-length", str(len(text)))
                self.end_headers()
                if server.code != 204:
                    self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=[0.02])
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
