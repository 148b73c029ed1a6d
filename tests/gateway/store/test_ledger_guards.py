"""No byte of the log changes unnoticed, and while the triggers are on, none changes at all (ARCHITECTURE §7)."""

from dataclasses import replace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from consent.canonical import canonical_json
from consent.note import SignerKey
from consent.proof import verify_proof
from gateway.exchange.audit import Fault, verify_ledger
from gateway.exchange.published import receipt
from gateway.exchange.sequence import sequence
from gateway.store.engine import libpq_url
from tests.gateway.family import SIGNER, Family
from tests.gateway.store.log import an_entry, append, rows


@pytest.fixture
def child(fresh_hub):
    return Family(fresh_hub).child


@pytest.fixture
def log(fresh_hub, child):
    """A log of 300 entries in four checkpoints."""
    for count in (1, 99, 180, 20):
        sequence(fresh_hub, append(fresh_hub, child, count))
    assert verify_ledger(fresh_hub).sound
    return fresh_hub


TAMPERING = {
    "a byte of a leaf": (
        "UPDATE ledger_entry SET leaf = set_byte(leaf, 20, get_byte(leaf, 20) # 1) WHERE seq = 17",
        {Fault.TILE, Fault.ROOT},
    ),
    "two leaves swapped": (
        "UPDATE ledger_entry e SET leaf = o.leaf FROM ledger_entry o WHERE e.seq + o.seq = 11 AND e.seq IN (5, 6)",
        {Fault.TILE, Fault.ROOT, Fault.BODY},
    ),
    "two rows swapped": (
        "UPDATE ledger_entry SET seq = -1 WHERE seq = 5; UPDATE ledger_entry SET seq = 5 WHERE seq = 6; \
        UPDATE ledger_entry SET seq = 6 WHERE seq = -1",
        {Fault.TILE, Fault.ROOT},
    ),
    "a row removed": ("DELETE FROM ledger_entry WHERE seq = 150", {Fault.NUMBER, Fault.TILE}),
    "the last row removed": ("DELETE FROM ledger_entry WHERE seq = 299", {Fault.SIZE}),
    "a byte of a body": (
        "UPDATE ledger_entry SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE seq = 200",
        {Fault.BODY},
    ),
    "what lies in clear": ("UPDATE ledger_entry SET kind = 'deny' WHERE seq = 3", {Fault.CLEAR}),
    "whom it went to": ("UPDATE ledger_entry SET recipient = 'nobody' WHERE seq = 3", {Fault.CLEAR}),
    "a byte of a tile": (
        "UPDATE ledger_tile SET hashes = set_byte(hashes, 9, get_byte(hashes, 9) # 1) WHERE (level, idx) = (0, 0)",
        {Fault.TILE},
    ),
    "a tile removed": ("DELETE FROM ledger_tile WHERE level = 1", {Fault.TILE}),
    "a tile too many": (
        "INSERT INTO ledger_tile SELECT 3, 0, hashes FROM ledger_tile WHERE (level, idx) = (0, 0)",
        {Fault.TILE},
    ),
    "an old root": (
        "UPDATE ledger_checkpoint SET root = set_byte(root, 0, get_byte(root, 0) # 1) WHERE size = 100",
        {Fault.ROOT, Fault.SIGNATURE},
    ),
    "a signature": (
        "UPDATE ledger_checkpoint SET note = overlay(note placing 'AAAA' from length(note) - 20) WHERE size = 100",
        {Fault.SIGNATURE},
    ),
    "a checkpoint of another size": (
        "UPDATE ledger_checkpoint SET size = 101 WHERE size = 100",
        {Fault.ROOT, Fault.SIGNATURE},
    ),
    "the last checkpoint removed": ("DELETE FROM ledger_checkpoint WHERE size = 300", {Fault.SIZE}),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_tampering_by_whoever_owns_the_database_is_found(log, fresh_copy, what):
    statement, faults = TAMPERING[what]
    with psycopg.connect(libpq_url(fresh_copy.admin)) as admin:
        admin.execute("SET session_replication_role = replica")  # a superuser may switch every trigger off
        admin.execute(statement)
    report = verify_ledger(log)
    assert {found.fault for found in report.faults} >= faults


def test_a_log_signed_with_another_key_is_not_believed(log):
    stranger = replace(log, signer=SignerKey(SIGNER.name, b"s" * 32))
    assert {found.fault for found in verify_ledger(stranger).faults} == {Fault.SIGNATURE}


def test_destroying_a_childs_key_erases_the_content_and_leaves_every_proof_valid(log, child):
    other = Family(log).child
    sequence(log, append(log, other, 2))
    log.keys.destroy(child)
    report = verify_ledger(log)
    assert (report.sound, report.erased, report.opened) == (True, 300, 2)
    proof = receipt(log, 100)
    assert proof is not None
    ((leaf,),) = rows(log, "SELECT leaf FROM ledger_entry WHERE seq = 100")
    assert getattr(verify_proof(proof, bytes(leaf), SIGNER.name, [SIGNER.verifier]), "size", 0) == 302


def test_a_leaf_says_an_hour_and_a_commitment_and_nothing_else(fresh_hub, child):
    entry = an_entry(fresh_hub, child)
    assert len(entry.leaf) < 200
    assert canonical_json(str(child)) not in entry.leaf
    assert entry.kind.encode() not in entry.leaf


OWNERS = (
    "UPDATE ledger_entry SET kind = 'deny'",
    "DELETE FROM ledger_entry",
    "TRUNCATE ledger_entry",
    "UPDATE ledger_checkpoint SET note = ''",
    "DELETE FROM ledger_checkpoint",
    "DELETE FROM ledger_tile",
    "UPDATE ledger_tile SET hashes = substr(hashes, 1, 32)",
    "UPDATE ledger_tile SET hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 1)",
    "UPDATE ledger_tile SET level = 5",
    "DELETE FROM ledger_pending",
    "UPDATE ledger_pending SET kind = 'deny'",
    "TRUNCATE ledger_pending",
    "UPDATE decision SET expires = expires + interval '1 hour'",
    "DELETE FROM release",
    "DELETE FROM directive",
    "DELETE FROM assertion",
)


@pytest.mark.parametrize("statement", OWNERS)
def test_triggers_refuse_even_a_superuser_who_leaves_them_on(fresh_hub, fresh_copy, child, statement):
    sequence(fresh_hub, append(fresh_hub, child, 3))
    append(fresh_hub, child, 1)
    table = statement.replace("FROM ", "").split()[1]
    with psycopg.connect(libpq_url(fresh_copy.admin)) as admin:
        count = admin.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
        if count == (0,):
            admin.execute("SET session_replication_role = replica")
            fill(admin, table)
            admin.execute("SET session_replication_role = origin")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            admin.execute(statement)
        admin.rollback()


def fill(admin: psycopg.Connection, table: str) -> None:
    """One row of made-up values, so that a row trigger has something to refuse."""
    columns = admin.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s", (table,)
    ).fetchall()
    made = {"uuid": "gen_random_uuid()", "text": "'x'", "ARRAY": "'{}'", "bigint": "1", "bytea": "'x'::bytea"}
    names = ", ".join(name for name, _ in columns)
    values = ", ".join(made.get(kind, "now()") for _, kind in columns)
    admin.execute(f"INSERT INTO {table} ({names}) VALUES ({values})".encode())


def sequencer(connection: Connection, statement: str, **values: Any) -> None:
    connection.execute(text("SET LOCAL ROLE planhub_sequencer"))
    connection.execute(text(statement), values)


TAKE = (
    "INSERT INTO ledger_entry (seq, pending_id, entry_id, leaf, kind, child_id, recipient, subject, body, at) "
    "SELECT 0, {} FROM ledger_pending"
)
AS_IT_IS = "pending_id, entry_id, leaf, kind, child_id, recipient, subject, body, at"


@pytest.mark.parametrize(
    "change",
    [
        "pending_id + 1, entry_id, leaf, kind, child_id, recipient, subject, body, at",
        "pending_id, gen_random_uuid(), leaf, kind, child_id, recipient, subject, body, at",
        "pending_id, entry_id, leaf || 'x', kind, child_id, recipient, subject, body, at",
        "pending_id, entry_id, leaf, 'deny', child_id, recipient, subject, body, at",
        "pending_id, entry_id, leaf, kind, NULL, recipient, subject, body, at",
        "pending_id, entry_id, leaf, kind, child_id, 'other', subject, body, at",
        "pending_id, entry_id, leaf, kind, child_id, recipient, gen_random_uuid(), body, at",
        "pending_id, entry_id, leaf, kind, child_id, recipient, subject, body || 'x', at",
        "pending_id, entry_id, leaf, kind, child_id, recipient, subject, body, now()",
    ],
)
def test_an_entry_reaches_the_log_only_as_it_waited(fresh_hub, child, change):
    append(fresh_hub, child, 1)
    with (
        pytest.raises(DBAPIError, match="by waiting for its number"),
        fresh_hub.db.transaction() as connection,
    ):
        sequencer(connection, TAKE.format(change))


def test_a_pending_entry_leaves_only_by_being_numbered(fresh_hub, child):
    (entry,) = append(fresh_hub, child, 1)
    with (
        pytest.raises(DBAPIError, match="leaves only by being sequenced"),
        fresh_hub.db.transaction() as connection,
    ):
        sequencer(connection, "DELETE FROM ledger_pending")
    with fresh_hub.db.transaction() as connection:
        sequencer(connection, f"{TAKE.format(AS_IT_IS)}; DELETE FROM ledger_pending")
    assert rows(fresh_hub, "SELECT entry_id FROM ledger_entry") == [(entry,)]


@pytest.mark.parametrize("numbers", [(1,), (0, 2), (-1,), (0, 1, 3)])
def test_a_number_that_leaves_a_gap_is_refused(fresh_hub, child, numbers):
    append(fresh_hub, child, len(numbers))
    with pytest.raises(DBAPIError, match="leave a gap"), fresh_hub.db.transaction() as connection:
        sequencer(
            connection,
            "INSERT INTO ledger_entry (seq, pending_id, entry_id, leaf, kind, child_id, recipient, subject, body, at) "
            "SELECT n.seq, p.pending_id, p.entry_id, p.leaf, p.kind, p.child_id, p.recipient, p.subject, p.body, p.at "
            "FROM unnest(cast(:numbers AS bigint[])) WITH ORDINALITY AS n (seq, i) "
            "JOIN (SELECT *, row_number() OVER (ORDER BY pending_id) AS i FROM ledger_pending) p USING (i)",
            numbers=list(numbers),
        )
