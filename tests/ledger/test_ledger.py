"""The record: appended with its change, sealed in one order, and every kind of tampering found."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from governance.ledger import merkle, services
from governance.ledger.models import Entry, Seal
from governance.ledger.queries import timeline

VECTORS = json.loads((Path(__file__).parent / "merkle_vectors.json").read_text())["sets"]


def append(number: int = 0, **more: Any) -> Entry:
    with transaction.atomic():
        return services.append(action="test.done", actor="cli:test", subject=f"test:{number}", **more)


def seal_all() -> int:
    """Seal until nothing is left: transactions of other databases of the server hold the newest entries back."""
    sealed, deadline = 0, time.monotonic() + 60
    while Seal.objects.count() < Entry.objects.count():
        assert time.monotonic() < deadline
        sealed += services.seal()
        time.sleep(0.05)
    return sealed


@pytest.mark.parametrize("vectors", VECTORS, ids=lambda v: v["name"])
def test_trees_and_proofs_match_the_vectors(vectors: Any) -> None:
    leaves = [bytes.fromhex(text) for text in vectors["leaf_hashes_hex"]]
    assert [merkle.leaf_hash(bytes.fromhex(text)) for text in vectors["leaves_hex"]] == leaves
    for tree in vectors["trees"]:
        size, root = tree["size"], bytes.fromhex(tree["root_hex"])
        assert merkle.root(leaves[:size]) == root
        for proof in tree["inclusion"]:
            path = [bytes.fromhex(text) for text in proof["path_hex"]]
            assert merkle.inclusion_proof(leaves[:size], proof["index"]) == path
            assert merkle.verify_inclusion(leaves[proof["index"]], proof["index"], size, path, root)
            assert not merkle.verify_inclusion(leaves[proof["index"]], proof["index"], size, [*path, root], root)
        for proof in tree["consistency"]:
            path = [bytes.fromhex(text) for text in proof["proof_hex"]]
            first = proof["first"]
            assert merkle.consistency_proof(leaves[:size], first) == path
            assert merkle.verify_consistency(first, size, merkle.root(leaves[:first]), root, path)
            assert not merkle.verify_consistency(first, size, merkle.EMPTY, root, path)


@pytest.mark.parametrize("table", ["ledger_entry", "ledger_seal", "ledger_treehead"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {table} SET {key} = {key}", "DELETE FROM {table}", "TRUNCATE {table} CASCADE"]
)
def test_entries_seals_and_heads_cannot_be_changed_removed_or_truncated(
    table: str, statement: str, committed: None
) -> None:
    append()
    seal_all()
    key = {"ledger_entry": "actor", "ledger_seal": "position", "ledger_treehead": "size"}[table]
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table=table, key=key))


@pytest.mark.django_db
def test_sensitive_attributes_are_refused_by_name() -> None:
    for name in ("citizenships", "nationality", "permanent_residences", "protected_status", "residence_country"):
        with pytest.raises(ValueError, match="may not stand"):
            append(data={"person": {name: "x"}})


def test_an_entry_outside_a_transaction_is_refused(committed: None) -> None:
    with pytest.raises(RuntimeError):
        services.append(action="x", actor="x", subject="x")


def test_a_rolled_back_change_leaves_no_entry(committed: None) -> None:
    before = Entry.objects.count()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        services.append(action="x", actor="x", subject="x")
        raise ZeroDivisionError
    assert Entry.objects.count() == before


@pytest.mark.django_db
def test_a_timeline_also_holds_entries_that_name_the_subject_beside_theirs() -> None:
    append(1, also=["directive:D"])
    assert [entry.subject for entry in timeline("directive:D")] == ["test:1"]


def test_writers_and_a_long_transaction_are_all_sealed_once(committed: None) -> None:
    """A transaction that began first and commits last loses nothing and moves nobody."""
    seal_all()
    began, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            services.append(action="test.slow", actor="cli:test", subject="test:slow")
            began.set()
            go_on.wait(10)
        connection.close()

    def quick(number: int) -> None:
        for step in range(10):
            append(number * 100 + step)
        connection.close()

    first = threading.Thread(target=slow)
    first.start()
    began.wait(10)
    writers = [threading.Thread(target=quick, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    sealed_early = services.seal()
    assert sealed_early == 0, "nothing may be sealed before the oldest transaction has ended"
    go_on.set()
    first.join()
    assert seal_all() == 41
    assert services.seal() == 0
    assert Seal.objects.count() == Entry.objects.count()
    report = services.verify()
    assert report.ok, report


@pytest.mark.parametrize(
    ("tamper", "names"),
    [
        ("UPDATE ledger_entry SET record = replace(record, 'test.done', 'test.gone') WHERE id = {id}", "entry:{id}"),
        ("UPDATE ledger_entry SET actor = 'somebody' WHERE id = {id}", "entry:{id}"),
        ("UPDATE ledger_entry SET at = at - interval '1 hour' WHERE id = {id}", "entry:{id}"),
        ("DELETE FROM ledger_entry WHERE id = {id}", "position:{position}"),
        ("UPDATE ledger_seal SET entry_id = -entry_id WHERE entry_id = {id}", "position:{position}"),
        (
            "UPDATE ledger_treehead SET root = sha256('x') WHERE size = (SELECT max(size) FROM ledger_treehead)",
            "head:{size}",
        ),
        ("DELETE FROM ledger_treehead WHERE size = (SELECT max(size) FROM ledger_treehead)", "position:{former}"),
    ],
)
def test_tampering_by_whoever_owns_the_database_is_found_and_named(committed: None, tamper: str, names: str) -> None:
    seal_all()
    former = Seal.objects.count()
    entry = append(7)
    append(8)
    seal_all()
    position = Seal.objects.get(entry=entry).position
    assert services.verify().ok
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # triggers and foreign keys off
        cursor.execute(tamper.format(id=entry.pk))
    report = services.verify()
    assert not report.ok
    known = {"id": entry.pk, "position": position, "size": former + 2, "former": former}
    assert report.first_bad == names.format(**known)


def test_rewriting_an_entry_with_its_digest_breaks_the_tree(committed: None) -> None:
    entry = append(7)
    seal_all()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE ledger_entry SET record = replace(record, 'cli:test', 'cli:best'), actor = 'cli:best',"
            " digest = sha256('\\x00'::bytea || convert_to(replace(record, 'cli:test', 'cli:best'), 'UTF8')) WHERE id = %s",
            [entry.pk],
        )
    assert services.verify().first_bad == f"head:{Seal.objects.count()}"


def test_two_sealers_at_once_seal_everything_once(committed: None) -> None:
    for number in range(30):
        append(number)
    sealed: list[int] = []

    def work() -> None:
        sealed.append(services.seal())
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seal_all()
    assert Seal.objects.count() == Entry.objects.count()
    assert services.verify().ok


@pytest.mark.parametrize(
    "record", ["garbage", "[]", "{}", '{"action": 1, "actor": 2, "subject": 3, "also": null, "at": 4}', "[" * 100_000]
)
@pytest.mark.django_db
def test_an_entry_that_is_no_record_is_named(record: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_entry (xid, at, action, actor, subject, also, record, digest)"
            " VALUES (0, now(), 'a', 'b', 'c', '{}', %s, '') RETURNING id",
            [record],
        )
        entry_id = cursor.fetchone()[0]
    report = services.verify()
    assert (report.ok, report.first_bad) == (False, f"entry:{entry_id}")
