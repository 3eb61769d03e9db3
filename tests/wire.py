"""Speaking to the decision API in process: requests as WSGI environments."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any

from governance.api.authzen.application import DecisionApi
from governance.api.authzen.services import Services
from governance.enforcement.services.recording import Answer
from governance.enforcement.sources import DJANGO, Source

HOST = "pdp.example"


@dataclass
class Response:
    status_code: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)

    def __getitem__(self, name: str) -> str:
        return self.headers[name]


@dataclass
class Kept:
    """A recorder that keeps the answers in memory, for tests in one transaction."""

    answers: list[Answer] = field(default_factory=list)

    def put(self, answer: Answer) -> None:
        self.answers.append(answer)


def services(
    source: Source = DJANGO, recorder: Any = None, public_url: str = "", allowed: tuple[str, ...] = ("*",)
) -> Services:
    return Services(source, source, recorder or Kept(), public_url, "a secret for page tokens", allowed)


@dataclass
class Wire:
    """A caller with a token."""

    services: Services
    token: str = ""

    def send(self, path: str, body: Any = None, *, method: str = "POST", **headers: str) -> Response:
        data = (
            body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        )
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method, "PATH_INFO": path, "CONTENT_TYPE": "application/json", "HTTP_HOST": HOST,
            "CONTENT_LENGTH": str(len(data)), "wsgi.input": io.BytesIO(data), "wsgi.url_scheme": "https",
        }  # fmt: skip
        if self.token:
            environ["HTTP_AUTHORIZATION"] = f"Bearer {self.token}"
        for name, value in headers.items():
            key = name.upper()
            environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value
        answer: dict[str, Any] = {}

        def start(status: str, found: list[tuple[str, str]]) -> None:
            answer.update(status=int(status.split(maxsplit=1)[0]), headers=dict(found))

        content = b"".join(DecisionApi(self.services)(environ, start))
        return Response(answer["status"], answer["headers"], content)


def question(person: str = "p009", model: str = "fable-5", capability: str = "use", **more: Any) -> dict[str, Any]:
    return {
        "subject": {"type": "person", "id": person}, "resource": {"type": "model", "id": model},
        "action": {"name": capability}, **more,
    }  # fmt: skip
