"""Load over HTTP: as much as goes (wrk where it is installed, else threads here), or at a fixed rate with true latencies."""

from __future__ import annotations

import json
import multiprocessing
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

CONNECTIONS = 16
_LUA = """
local bodies = {}
for line in io.lines("%s") do bodies[#bodies + 1] = line end
local headers = {["Content-Type"] = "application/json", ["Authorization"] = "Bearer %s"}
local requests, n = {}, 0
function init() for i, body in ipairs(bodies) do requests[i] = wrk.format("POST", "%s", headers, body) end end
function request() n = n + 1; return requests[n %% #requests + 1] end
"""


def tool() -> str:
    return "wrk" if shutil.which("wrk") else "threads of this program"


def bodies(people: Sequence[str]) -> list[str]:
    return [
        json.dumps(
            {
                "subject": {"type": "person", "id": person},
                "resource": {"type": "model", "id": "fable-5"},
                "action": {"name": "use"},
            },
            separators=(",", ":"),
        )
        for person in people
    ]


def request_bytes(port: int, path: str, token: str, body: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def throughput(port: int, path: str, token: str, questions: Sequence[str], seconds: float) -> float:
    """Requests a second that ``CONNECTIONS`` callers get, each asking again as soon as it is answered."""
    if shutil.which("wrk"):
        return _wrk(port, path, token, questions, seconds)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        work = (port, path, token, list(questions), seconds, CONNECTIONS // 2)
        return sum(pool.starmap(_closed_loop, [work, work])) / seconds


def _wrk(port: int, path: str, token: str, questions: Sequence[str], seconds: float) -> float:
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "bodies").write_text("\n".join(questions))
        script = Path(place) / "ask.lua"
        script.write_text(_LUA % (f"{place}/bodies", token, path))
        done = subprocess.run(
            ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", str(script), f"http://127.0.0.1:{port}"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    found = re.search(r"Requests/sec:\s+([\d.]+)", done)
    total = re.search(r"(\d+) requests in", done)
    assert found and total, done
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", done)
    # A disk that stands still for a second costs a few answers of any program; more than a few are a fault.
    if refused and int(refused[1]) > max(CONNECTIONS, int(total[1]) // 1000):
        raise RuntimeError(f"not every answer was 200:\n{done}")
    return float(found[1])


def _closed_loop(port: int, path: str, token: str, questions: list[str], seconds: float, connections: int) -> int:
    requests = [request_bytes(port, path, token, body) for body in questions]
    counts = [0] * connections
    end = time.perf_counter() + seconds

    def ask(index: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as wire:
            number = index
            while time.perf_counter() < end:
                exchange(wire, requests[number % len(requests)])
                counts[index] += 1
                number += connections

    _together([threading.Thread(target=ask, args=(index,)) for index in range(connections)])
    return sum(counts)


def latencies(
    port: int, path: str, token: str, questions: Sequence[str], rate: float, seconds: float, connections: int = 8
) -> list[float]:
    """Milliseconds from when each question was due, at ``rate`` a second; a late start counts as waiting."""
    requests = [request_bytes(port, path, token, body) for body in questions]
    found: list[list[float]] = [[] for _ in range(connections)]
    begin = time.perf_counter() + 0.2
    pause = connections / rate

    def ask(index: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as wire:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            due, number = begin + index * pause / connections, index
            while due < begin + seconds:
                time.sleep(max(0.0, due - time.perf_counter()))
                exchange(wire, requests[number % len(requests)])
                found[index].append((time.perf_counter() - due) * 1000)
                due += pause
                number += connections

    _together([threading.Thread(target=ask, args=(index,)) for index in range(connections)])
    return sorted(value for part in found for value in part)


def _together(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def exchange(wire: socket.socket, request: bytes) -> bytes:
    """One request and its whole answer over a kept connection; returns the answer. Raises if it is not 200."""
    wire.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += _more(wire)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += _more(wire)
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode("latin-1"))
    return body


def _more(wire: socket.socket) -> bytes:
    part = wire.recv(65536)
    if not part:
        raise ConnectionError("the server closed the connection")
    return part
