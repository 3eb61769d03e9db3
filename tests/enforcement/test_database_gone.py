"""The database is killed, frozen or crowded under load: never a permit to a denied person, never a hang, and back by itself."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.conftest import REFERENCE
from tests.journeys.conftest import Product

pytestmark = pytest.mark.xdist_group("product")
LONGEST = 2.5  # seconds for one answer: a second for the statement, and what a busy machine adds
BACK = 1.0  # seconds from when the database accepts connections until decisions are made again
DENIED, PERMITTED = "p009", "p001"


@dataclass
class Load:
    """Gateways that ask over HTTP without pause; what they were told, and how long it took."""

    product: Product
    token: str
    answers: list[tuple[float, float, str, int, bool | None, str]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def ask(self, offset: int) -> None:
        number, wire = offset, self._connect()
        while not self.stop.is_set():
            person = (DENIED, PERMITTED)[number % 2]
            body = {
                "subject": {"type": "person", "id": person}, "resource": {"type": "model", "id": "fable-5"},
                "action": {"name": "use"},
            }  # fmt: skip
            began = time.monotonic()
            try:
                wire.request("POST", "/access/v1/evaluation", json.dumps(body), self._headers)
                response = wire.getresponse()
                found = json.loads(response.read())
                after = response.headers.get("Retry-After", "")
                decision = found.get("decision") if response.status == 200 else None
                self.answers.append((began, time.monotonic() - began, person, response.status, decision, after))
            except (http.client.HTTPException, OSError) as error:
                self.answers.append((began, time.monotonic() - began, person, 0, None, type(error).__name__))
                wire = self._connect()
            number += 1

    @property
    def _headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.product.port, timeout=15)

    def answered_between(self, after: float, before: float) -> list[tuple[float, float, str, int, bool | None, str]]:
        return [answer for answer in list(self.answers) if answer[3] == 200 and after < answer[0] < before]

    def answered_after(self, moment: float) -> float:
        """Seconds from ``moment`` until the first question that was answered again."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            good = [
                began + took for began, took, _, status, _, _ in list(self.answers) if status == 200 and began > moment
            ]
            if good:
                return min(good) - moment
            time.sleep(0.02)
        raise AssertionError("it did not come back")


def postgres(data: Path) -> list[psutil.Process]:
    """The postmaster and its children."""
    master = psutil.Process(int((data / "postgres" / "postmaster.pid").read_text().splitlines()[0]))
    return [master, *master.children(recursive=True)]


def killed(data: Path) -> Callable[[], float]:
    """Kill -9, as the machine's memory guard would; gives back what starts it again."""
    for process in postgres(data):
        process.kill()
    command = shlex.split((data / "postgres" / "postmaster.opts").read_text())

    def start() -> float:
        log = (data / "restarted.log").open("ab")
        for left in ("postmaster.pid", "postmaster.opts"):
            (data / "postgres" / left).unlink(missing_ok=True)
        subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, user=_owner(data))
        while b"ready to accept connections" not in (data / "restarted.log").read_bytes():
            time.sleep(0.01)
        return time.monotonic()

    return start


def _owner(data: Path) -> int | None:
    owner = (data / "postgres").stat().st_uid
    return owner if owner != os.getuid() else None


def frozen(data: Path) -> Callable[[], float]:
    """Stopped in the middle of whatever it does: it holds its connections and answers nothing."""
    processes = postgres(data)
    for process in processes:
        process.send_signal(signal.SIGSTOP)

    def go_on() -> float:
        for process in processes:
            process.send_signal(signal.SIGCONT)
        return time.monotonic()

    return go_on


@contextlib.contextmanager
def callers_who_never_finish(product: Product, number: int = 40) -> Iterator[None]:
    """Anybody can send the head of a form and then nothing; a form that is refused early is not waited for."""
    wire = http.client.HTTPConnection("127.0.0.1", product.port, timeout=15)
    wire.request("GET", "/sign-in")
    response = wire.getresponse()
    response.read()
    cookie = str(response.getheader("Set-Cookie")).partition(";")[0]
    head = (
        f"POST /sign-in HTTP/1.1\r\nHost: localhost:{product.port}\r\nCookie: {cookie}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nx"
    )
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(socket.create_connection(("127.0.0.1", product.port))).sendall(head.encode())
        time.sleep(1)
        yield


def crowded(data: Path) -> Callable[[], float]:
    """Every connection that the server has is somebody else's, those of the decision API cut and taken as well."""
    host = (data / "postgres" / "postmaster.pid").read_text().splitlines()[4]
    held: list[psycopg.Connection] = []

    def take_all() -> None:
        while True:
            try:
                held.append(psycopg.connect(f"host={host} user=postgres dbname=postgres", autocommit=True))
            except psycopg.OperationalError:
                return

    take_all()
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'decisions'"
    while held[0].execute(cut).fetchall():
        take_all()

    def leave() -> float:
        for link in held:
            link.close()
        return time.monotonic()

    return leave


def test_a_database_that_is_killed_frozen_or_crowded_costs_time_and_never_a_permit(tmp_path: Path) -> None:
    product = Product(tmp_path / "data")
    load, threads = None, []
    try:
        product.wait_until_ready()
        for arguments in (("submit", "lucia"), ("approve", "peter"), ("activate", "lucia")):
            assert product.manage("directive", arguments[0], REFERENCE, "--as", arguments[1]).returncode == 0
        load = Load(product, product.manage("create_token", "gateway", "--scope", "decide").stdout.strip())
        threads = [threading.Thread(target=load.ask, args=(number,), daemon=True) for number in range(4)]
        for thread in threads:
            thread.start()
        load.answered_after(time.monotonic())
        with callers_who_never_finish(product):
            for _ in range(4):
                assert load.answered_after(time.monotonic()) < LONGEST, "slow callers of pages hold up no decision"
        for name, fault in (("killed", killed), ("frozen", frozen), ("crowded", crowded)):
            mend = fault(product.data)
            began = time.monotonic()
            time.sleep(3)
            assert not load.answered_between(began + 0.5, time.monotonic()), f"{name}: the database was not away"
            back = load.answered_after(mend())
            print(f"{name}: deciding again {back:.2f} s after the database was back")
            assert back < BACK
            time.sleep(1)
    finally:
        if load is not None:
            load.stop.set()
        for thread in threads:  # nobody asks any more when the product is stopped
            thread.join(15)
        product.stop()
    assert not [answer for answer in load.answers if answer[2] == DENIED and answer[4]], (
        "never a permit to a denied person"
    )
    slow = [answer for answer in load.answers if answer[1] > LONGEST]
    assert not slow, slow[:5]
    refused = [answer for answer in load.answers if answer[3] != 200]
    assert {answer[3] for answer in refused} == {503}
    assert all(answer[5] for answer in refused), "Retry-After is given"
    assert len(refused) > 4
