"""A worker killed in the middle of a run: a restart finishes it, and the restrictions are the same."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import REFERENCE
from tests.journeys.conftest import Product

pytestmark = pytest.mark.xdist_group("product")


def workers(product: Product) -> list[psutil.Process]:
    """The Celery worker with its pool."""
    return [
        process
        for process in psutil.Process(product.process.pid).children(recursive=True)
        if "celery" in " ".join(process.cmdline())
        and "worker" in process.cmdline()
        and "governance.runtime.keep" not in process.cmdline()
    ]


def test_kill_9_of_the_worker_in_the_middle_of_a_run_changes_nothing_but_time(tmp_path: Path) -> None:
    product = Product(tmp_path / "data")
    try:
        product.wait_until_ready()
        assert product.manage("generate_population", "200000").returncode == 0
        preview = json.loads(product.manage("directive", "preview", REFERENCE, "--json").stdout)
        for arguments in (("submit", REFERENCE, "--as", "lucia"), ("approve", REFERENCE, "--as", "peter")):
            done = product.manage("directive", *arguments)
            assert done.returncode == 0, done.stderr
        # Held until the activation has returned, so that the first kill always comes while the run goes on.
        held = workers(product)
        for process in held:
            process.suspend()
        assert product.manage("directive", "activate", REFERENCE, "--as", "lucia").returncode == 0
        for process in held:
            process.resume()
        time.sleep(0.5)
        kills, states = 0, []
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for process in workers(product):
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
            run = json.loads(product.manage("directive", "status", REFERENCE, "--json").stdout)["run"]
            states.append(run["state"])
            if kills >= 3 or run["state"] == "finished":
                break
        assert kills, product.output()
        assert states[0] in ("queued", "running"), "the first kill came in the middle of the run"
        status = product.wait_for_run(REFERENCE, seconds=90)
        assert status["run"]["restrictions"] == preview["covered"] + preview["unknown"]
        assert json.loads(product.manage("drift", "--json").stdout)["drift"] == 0
        assert product.manage("verify_ledger").returncode == 0
    finally:
        product.stop()
