"""``make run`` as it is used: clear refusals in one line, a clean stop, data that stays."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.journeys.conftest import ROOT, Product

pytestmark = pytest.mark.xdist_group("product")


def refused(**environment: str) -> str:
    """What the supervisor says when it does not start: one line."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "DJANGO", "TEST_", "DATABASE_"))}
    done = subprocess.run(
        [sys.executable, "-m", "governance.runtime.supervise"],
        cwd=ROOT, env=kept | environment, text=True, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"Port {port} is in use" in refused(PORT=port, DATA_DIR=str(tmp_path / "d"))


@pytest.mark.parametrize(
    "url", ["postgresql://nobody@127.0.0.1:1/none", "mysql://root@127.0.0.1/x", "not a url", "postgresql://host:port/x"]
)
def test_a_broken_database_url_is_one_clear_line(url: str, tmp_path: Path) -> None:
    assert "DATABASE_URL" in refused(PORT="39981", DATA_DIR=str(tmp_path / "d"), DATABASE_URL=url)


def test_an_unwritable_data_dir_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    assert "cannot be written" in refused(PORT="39982", DATA_DIR=str(tmp_path / "file" / "data"))


def test_a_python_that_is_too_old_is_one_clear_line(tmp_path: Path) -> None:
    old = tmp_path / "python-old"
    pretend = "import sys; sys.version_info = (3, 9, 0, 'final', 0); exec(sys.argv[1])"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{pretend}" "$2"\n')
    old.chmod(0o755)
    for name in ("Makefile", "requirements.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    done = subprocess.run(["make", "run", f"PYTHON={old}"], cwd=tmp_path, text=True, capture_output=True, check=False)
    assert done.returncode != 0
    assert "is too old; 3.11 or newer is needed." in done.stderr


def family(process: subprocess.Popen[bytes], data: Path) -> list[psutil.Process]:
    """Every process that belongs to the copy: by descent, or by naming its data directory."""
    found = psutil.Process(process.pid).children(recursive=True)
    for other in psutil.process_iter(["cmdline"]):
        if str(data) in " ".join(other.info["cmdline"] or []):
            found.append(other)
    return found


def test_it_stops_whole_however_it_is_stopped_and_starting_again_keeps_the_data(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = Product(data)
    first.wait_until_ready()
    first.wait_until_it_says("Portcullis is ready")
    programs = psutil.Process(first.process.pid).children(recursive=True)
    assert len(programs) > 5
    assert (data / "secret-key").stat().st_mode & 0o777 == 0o600
    assert first.manage("create_token", "gateway", "--scope", "decide").returncode == 0
    beside = Product(data)
    assert beside.process.wait(timeout=60) == 1
    assert "Another copy runs on DATA_DIR" in beside.output()
    # The supervisor is killed: its programs end with it; the database is found again by the next start.
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    _, alive = psutil.wait_procs([p for p in programs if "postgres" not in p.name()], timeout=20)
    assert not alive, [process.cmdline() for process in alive]

    second = Product(data, DEMO_PASSWORD="another one")
    try:
        second.wait_until_ready()
        second.wait_until_it_says("Their password was printed at the first start.")
        assert "another one" not in second.output(), "the accounts keep their first password"
        again = second.manage("create_token", "gateway", "--scope", "decide")
        assert again.returncode == 1
        assert "is taken" in again.stderr
    finally:
        everything = family(second.process, data)
        second.stop()
    _, alive = psutil.wait_procs(everything, timeout=20)
    assert not alive, [process.cmdline() for process in alive]
    left = [
        p.info["cmdline"] for p in psutil.process_iter(["cmdline"]) if str(data) in " ".join(p.info["cmdline"] or [])
    ]
    assert not left, left
