"""The product as a user starts it, and a real browser."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"
CHROMIUM_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def find_chromium() -> str | None:
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if found := shutil.which(name):
            return found
    return None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Product:
    """A running copy: ``address``, its data directory, and its supervisor."""

    def __init__(self, data: Path, **environment: str) -> None:
        self.port, self.data = free_port(), data
        self.address = f"http://127.0.0.1:{self.port}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "DJANGO", "TEST_", "DATABASE_"))}
        self.environment = kept | {
            "PORT": str(self.port), "DATA_DIR": str(data), "DEMO_PASSWORD": PASSWORD, **environment,
        }  # fmt: skip
        self.log = (data.parent / f"{data.name}.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "governance.runtime.supervise"],
            cwd=ROOT, env=self.environment, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def wait_until_ready(self, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"it ended with {self.process.returncode}:\n{self.output()}")
            try:
                with urllib.request.urlopen(f"{self.address}/healthz/ready", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.3)
        raise AssertionError(f"not ready:\n{self.output()}")

    def wait_until_it_says(self, words: str, seconds: float = 30) -> None:
        """The announcement follows readiness by a moment: it asks for itself."""
        deadline = time.monotonic() + seconds
        while words not in self.output():
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.1)

    def output(self) -> str:
        self.log.flush()
        return Path(self.log.name).read_text()

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.environment, text=True,
            capture_output=True, check=False,
        )  # fmt: skip

    def wait_for_run(self, reference: str, seconds: float = 60) -> dict[str, Any]:
        """The directive's status once the workers have finished its run."""
        deadline = time.monotonic() + seconds
        while True:
            status: dict[str, Any] = json.loads(self.manage("directive", "status", reference, "--json").stdout)
            if status["run"] and status["run"]["state"] == "finished":
                return status
            assert time.monotonic() < deadline, (status, self.output())
            time.sleep(0.5)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=40)


@pytest.fixture(scope="session")
def product() -> Iterator[Product]:
    """One running copy for the journeys, on a spare port and data directory."""
    with tempfile.TemporaryDirectory(prefix="portcullis-journey-") as place:
        running = Product(Path(place) / "data")
        try:
            running.wait_until_ready()
            yield running
        finally:
            running.stop()


@pytest.fixture
def browser() -> Iterator[Any]:
    """Chromium or Chrome; without one the test is reported as skipped, or fails with REQUIRE_BROWSER=1.

    For one test only: while Playwright's event loop runs, Django refuses to use the database in the same thread.
    """
    executable = find_chromium()
    if executable is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail("REQUIRE_BROWSER=1, and no Chromium or Chrome was found")
        pytest.skip("no Chromium or Chrome was found")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
        yield running
        running.close()
