"""A gateway's process: threads that ask the decision API without pause and note what each answer was taken from.

``python -m tests.enforcement.stale.decide TOKEN THREADS STOP FILE`` asks until the file STOP exists. Each line of FILE is a JSON list: when
the question was asked (the machine's monotonic clock), the person, the answer, and the database snapshot it was taken in.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import django

django.setup()

from django.conf import settings  # noqa: E402

from governance.api.authzen.services import Services  # noqa: E402
from governance.enforcement.sources import PooledSource, from_django_settings  # noqa: E402
from tests.wire import Kept, Wire, question  # noqa: E402

PEOPLE = ("p009", "p010", "p011")


def ask(wire: Wire, kept: Kept, stop: threading.Event, offset: int, lines: list[str]) -> None:
    number = offset
    while not stop.is_set():
        person = PEOPLE[number % len(PEOPLE)]
        began = time.monotonic()
        response = wire.send("/access/v1/evaluation", question(person))
        assert response.status_code == 200, response.content
        answer = kept.answers.pop()
        lines.append(json.dumps([began, person, response.json()["decision"], answer[10]]))
        number += 1


def main(token: str, threads: int, stop_file: Path, file: Path) -> None:
    source = PooledSource(from_django_settings(settings.DATABASES["default"]), size=threads, limit=5.0, title="stale")
    stop, lines, working = threading.Event(), [], []
    for offset in range(threads):
        kept, mine = Kept(), []
        lines.append(mine)
        wire = Wire(Services(source, source, kept, "", "secret", ("*",)), token)
        working.append(threading.Thread(target=ask, args=(wire, kept, stop, offset, mine)))
    for thread in working:
        thread.start()
    while not stop_file.exists():
        time.sleep(0.1)
    stop.set()
    for thread in working:
        thread.join()
    file.write_text("\n".join(line for part in lines for line in part))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
