"""Decisions over HTTP: the whole authenticated answer beside a bare program, a look-up, and a naive view."""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from django.db import connection

from bench import load
from bench.measure import Result
from governance.accounts.actor import Actor
from governance.accounts.models import ApiToken
from governance.accounts.services import create_token
from governance.runtime import admission

ROOT = Path(__file__).resolve().parents[1]
PATH = "/access/v1/evaluation"
PEOPLE = 20_000
SECONDS = 3
PROGRAMS = {
    "ours": ("governance.wsgi:application", {}),
    "bare": ("bench.programs.bare:application", {"BARE_STATEMENT": "same"}),
    "past cursors": ("bench.programs.bare:application", {"BARE_STATEMENT": "same", "BARE_ASKS": "look_up"}),
    "lookup": ("bench.programs.bare:application", {"BARE_STATEMENT": "lookup"}),
    "naive": ("bench.programs.naive:application", {}),
}


def measure(samples: int) -> list[Result]:
    """``decision_throughput`` and ``decision_latency_p99``, all programs in turn, as often as ``samples``."""
    number = ApiToken.objects.filter(name__startswith="bench").count()
    token = create_token(actor=Actor.machine("cli:bench"), name=f"bench {number}", scopes=["decide"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM people_person ORDER BY md5(id) LIMIT %s", [PEOPLE])
        questions = load.bodies([row[0] for row in cursor.fetchall()])
    connection.close()
    rates: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    slow: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(_served(*program)) for name, program in PROGRAMS.items()}
        for port in ports.values():
            load.throughput(port, PATH, token, questions, 1)
        for _ in range(samples):
            for name, port in ports.items():
                rates[name].append(load.throughput(port, PATH, token, questions, SECONDS))
        half = statistics.median(rates["ours"]) / 2
        for _ in range(samples):
            for name in ("ours", "bare", "lookup"):
                found = load.latencies(ports[name], PATH, token, questions, half, SECONDS)
                slow[name].append(found[int(len(found) * 0.99)])
    medians = {name: statistics.median(found) for name, found in rates.items()}
    beside = (
        f"bare primary-key look-up {medians['lookup']:,.0f}/s, naive Django view {medians['naive']:,.0f}/s, "
        f"the bare program when it too asks past cursors {medians['past cursors']:,.0f}/s; "
        f"load by {load.tool()}, {load.CONNECTIONS} connections"
    )
    p99 = f"at {half:,.0f}/s; bare primary-key look-up {statistics.median(slow['lookup']):.1f} ms"
    return [
        Result("decision_throughput", "requests/s", rates["ours"], rates["bare"], beside),
        Result("decision_latency_p99", "ms", slow["ours"], slow["bare"], p99),
    ]


@contextlib.contextmanager
def _served(target: str, more: dict[str, str]) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        str(Path(sys.executable).parent / "granian"), "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "2", "--blocking-threads", str(admission.THREADS), "--backpressure", "64", "--no-access-log",
        "--log-level", "error", target,
    ]  # fmt: skip
    server = subprocess.Popen(command, cwd=ROOT, env=os.environ | more)
    try:
        _wait(port, server)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=20)


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if server.poll() is not None:
            raise RuntimeError("the server ended")
        time.sleep(0.1)
    raise RuntimeError("the server did not start")
