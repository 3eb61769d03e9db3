"""``make bench``: a database of its own under ``DATA_DIR/bench``, then every benchmark; writes ``bench/results.json``."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from pathlib import Path

_PARTS = ("rules", "previewing", "running", "deciding", "searching", "inbox")
ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--scale", type=int, default=100_000, help="how many invented people")
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--only", choices=[*_PARTS], nargs="*", help="some of the parts; results.json is left as it is")
    arguments = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "governance.settings"
    os.environ["DATA_DIR"] = str(Path(os.environ.get("DATA_DIR", ROOT / "var")).resolve() / "bench")
    os.environ["CELERY_BROKER_URL"] = "memory://"
    from governance.runtime import database, paths

    urls = database.embedded(paths.data_dir(os.environ["DATA_DIR"]))
    os.environ["DATABASE_URL"] = urls.owner  # VACUUM and ANALYZE are the owner's
    import django

    django.setup()
    from bench import population
    from bench.measure import Result, table

    people = population.prepare(arguments.scale)
    results: list[Result] = []
    for part in arguments.only or _PARTS:
        results += importlib.import_module(f"bench.{part}").measure(arguments.samples)
    if arguments.only:
        sys.stdout.write(table(results, people))
        return 0
    document = {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "scale": people,
        "results": [result.as_json() for result in results],
    }
    (ROOT / "bench" / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    sys.stdout.write(table(results, people))
    return 0


if __name__ == "__main__":
    sys.exit(main())
