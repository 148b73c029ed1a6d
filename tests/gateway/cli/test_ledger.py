"""`planhub ledger`: the log is checked from its bytes, and what it proves is checked without us."""

from contextlib import contextmanager

import psycopg
import pytest

from consent.checkpoint import Checkpoint, open_checkpoint
from consent.note import VerifierKey
from consent.proof import verify_proof
from gateway.cli.exits import Exit
from gateway.cli.ledger import FAULTS
from gateway.exchange.audit import Fault
from gateway.exchange.disclosure import Refused
from gateway.exchange.release import release
from gateway.store.engine import libpq_url
from tests.gateway.family import add_agency


@pytest.fixture
def entries(hub, family):
    """The numbers of two refusals in the log."""
    answers = [release(hub, family.request(add_agency(hub))) for _ in range(2)]
    return [answer.entry for answer in answers if isinstance(answer, Refused)]


@pytest.fixture
def tampered(deployment):
    """Change rows as nobody but the server's owner could, with its triggers out of the way; undone afterwards."""

    @contextmanager
    def with_(change, undo):
        address = libpq_url(deployment.environment["PLANHUB_DATABASE_ADMIN_URL"])
        with psycopg.connect(address, autocommit=True) as owner:
            owner.execute("SET session_replication_role = replica")
            before = owner.execute(undo[0]).fetchall()
            owner.execute(change)
            try:
                yield
            finally:
                for row in before:
                    owner.execute(undo[1], row)

    return with_


def test_an_untouched_log_verifies_with_its_figures(planhub, entries):
    ran = planhub("ledger", "verify", "--json")
    assert ran.code == Exit.OK
    found = ran.json
    assert found["ok"] is True
    assert found["entries"] == found["opened"] > max(entries)
    assert len(found["head"]) == 64
    assert (found["faults"], found["waiting"], found["erased"]) == ([], 0, 0)
    assert found["checked_s"] >= 0
    line = planhub("ledger", "verify").out
    assert line == f"{found['entries']} entries, chain good to {found['head'][:6]}\n"


def test_a_quick_check_leaves_bodies_closed(planhub, entries):
    found = planhub("ledger", "verify", "--quick", "--json").json
    assert (found["ok"], found["opened"]) == (True, 0)


@pytest.mark.parametrize(
    ("change", "undo", "fault"),
    [
        (
            "UPDATE ledger_entry SET leaf = 'x' WHERE seq = 0",
            (
                "SELECT leaf FROM ledger_entry WHERE seq = 0",
                "UPDATE ledger_entry SET leaf = %s WHERE seq = 0",
            ),
            "leaf",
        ),
        (
            "UPDATE ledger_entry SET recipient = 'another' WHERE seq = 0",
            (
                "SELECT recipient FROM ledger_entry WHERE seq = 0",
                "UPDATE ledger_entry SET recipient = %s WHERE seq = 0",
            ),
            "clear",
        ),
        (
            "UPDATE ledger_checkpoint SET note = replace(note, E'\\n1\\n', E'\\n2\\n') WHERE size = 1",
            (
                "SELECT note FROM ledger_checkpoint WHERE size = 1",
                "UPDATE ledger_checkpoint SET note = %s WHERE size = 1",
            ),
            "signature",
        ),
    ],
)
def test_what_was_altered_is_found_and_ends_with_3(planhub, entries, tampered, change, undo, fault):
    with tampered(change, undo):
        ran = planhub("ledger", "verify", "--json")
        assert ran.code == Exit.CHECK_FAILED
        assert ran.json["ok"] is False
        assert fault in {one["fault"] for one in ran.json["faults"]}
        assert "runbook" in ran.err
    assert planhub("ledger", "verify").code == Exit.OK


def test_a_proof_is_checked_with_the_logs_key_and_the_leaf_alone(planhub, entries):
    number = entries[0]
    shown = planhub("ledger", "prove", number, "--json").json
    key = VerifierKey.parse(shown["key"])
    assert key is not None
    checkpoint = verify_proof(shown["proof"], shown["leaf"].encode(), shown["origin"], [key])
    assert isinstance(checkpoint, Checkpoint)
    assert checkpoint.size > number
    assert planhub("ledger", "prove", number).out == shown["proof"]


def test_the_newest_checkpoint_is_handed_out_as_signed(planhub, entries):
    shown = planhub("ledger", "checkpoint", "--json").json
    key = VerifierKey.parse(shown["key"])
    assert key is not None
    opened = open_checkpoint(shown["note"], shown["origin"], [key])
    assert isinstance(opened, Checkpoint)
    assert (opened.size, opened.root.hex()) == (shown["size"], shown["root"])
    assert planhub("ledger", "checkpoint").out == shown["note"]


def test_a_number_not_given_cannot_be_proved(planhub, entries):
    ran = planhub("ledger", "prove", 10_000_000)
    assert (ran.code, "planhub ledger checkpoint" in ran.err) == (Exit.USAGE, True)


def test_every_fault_has_words():
    assert set(FAULTS) == set(Fault)
