"""The same product on an external PostgreSQL with Redis or RabbitMQ: it starts, enforces, and stops."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

import psycopg
import pytest

from tests.conftest import EXPECTED, REFERENCE
from tests.journeys.conftest import Product

pytestmark = [pytest.mark.services, pytest.mark.xdist_group("product")]


def required(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(f"REQUIRE_SERVICES=1, and {name} is not set")
        pytest.skip(f"{name} is not set")
    return value


@pytest.mark.parametrize(("broker", "roles"), [("TEST_REDIS_URL", 1), ("TEST_RABBITMQ_URL", 2)])
def test_the_directive_takes_force_on_external_services(broker: str, roles: int, tmp_path: Path) -> None:
    """With one role for everything, and with an owner that migrates and a role for the programs."""
    server, name = required("TEST_DATABASE_URL"), f"portcullis_{uuid.uuid4().hex[:10]}"
    owner = server.rpartition("/")[0] + f"/{name}"
    urls = {"DATABASE_URL": owner}
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        if roles == 2:
            admin.execute(f"CREATE ROLE {name} LOGIN")
            programs = psycopg.conninfo.conninfo_to_dict(server)
            urls = {
                "DATABASE_URL": f"postgresql://{name}@{programs['host']}:{programs.get('port', 5432)}/{name}",
                "DATABASE_OWNER_URL": owner,
            }
    product = Product(tmp_path / "data", CELERY_BROKER_URL=required(broker), **urls)
    try:
        product.wait_until_ready()
        for arguments in (
            ("submit", REFERENCE, "--as", "lucia"),
            ("approve", REFERENCE, "--as", "peter"),
            ("activate", REFERENCE, "--as", "lucia"),
        ):
            done = product.manage("directive", *arguments)
            assert done.returncode == 0, done.stderr
        status = product.wait_for_run(REFERENCE)
        people = EXPECTED["directives"][REFERENCE]["people"]
        assert status["run"]["restrictions"] == len(people["covered"]) + len(people["unknown"])
        assert status["drift"] == 0
        decided = product.manage("decide", "--person", "p009", "--model", "fable-5", "--capability", "use", "--json")
        assert json.loads(decided.stdout)["context"]["reason"]["code"] == "directive"
        assert not (tmp_path / "data" / "postgres").exists()
    finally:
        product.stop()
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            admin.execute(f"DROP ROLE IF EXISTS {name}")
