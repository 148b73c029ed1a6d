"""A record ends when its key is destroyed: by two people, after every duty, under no hold; and proofs go on holding."""

import os
import subprocess
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from consent.entry import EntryKind
from gateway.exchange import erasure
from gateway.exchange.accounting import Accounting, who_saw_what
from gateway.exchange.audit import verify_ledger
from gateway.exchange.disclosure import Refused
from gateway.exchange.erasure import Done, NotErased, Refusal
from gateway.exchange.journal import open_entry
from gateway.exchange.release import release
from gateway.exchange.sequence import LedgerHalted
from gateway.store import erasures, witnesses
from gateway.store.childkey import SealBroken
from gateway.store.engine import libpq_url, open_database
from gateway.store.epochs import NOBODY
from gateway.store.keys import KeyDestroyed, open_keystore
from gateway.store.pipeline import driver_of
from mappings.record.category import Category
from mappings.record.regime import Regime
from tests.gateway.family import Family, a_hub, add_agency, now

SEVEN_YEARS = timedelta(days=366 * 7)


def later(hub, by=SEVEN_YEARS):
    return replace(hub, clock=lambda: now() + by)


def asked(hub, family) -> Done:
    done = erasure.ask(hub, family.child, actor="Ines Vale", reason="left the city")
    assert isinstance(done, Done), done
    return done


def erased(hub, family) -> Done:
    asked(later(hub), family)
    done = erasure.confirm(later(hub), family.child, actor="Jon Reed")
    assert isinstance(done, Done), done
    return done


@pytest.fixture
def told(hub, family):
    """A child of whom a clinic gave health facts and who was refused once."""
    clinic = add_agency(hub, programme=Category.HEALTH)
    family.states(clinic, Category.HEALTH, words="a secret ailment", regimes=frozenset({Regime.HLTH}))
    assert isinstance(release(hub, family.request(add_agency(hub))), Refused)
    return family


def test_two_people_after_the_longest_duty_destroy_the_key(hub, told):
    erased(hub, told)
    with pytest.raises(KeyDestroyed):
        hub.keys.get(told.child)


def test_who_asked_cannot_confirm_however_they_spell_it(hub, told):
    asked(later(hub), told)
    for name in ("Ines Vale", " ines VALE "):
        assert erasure.confirm(later(hub), told.child, actor=name) == Refusal(NotErased.SAME_PERSON)
    assert hub.keys.get(told.child)


def test_the_database_too_takes_nobody_who_asked(hub, told):
    subject = asked(later(hub), told).subject
    with pytest.raises(Exception, match="two_people"), hub.db.transaction() as conn:
        conn.execute(
            text(
                "UPDATE erasure SET confirmed_by = 'INES VALE', confirmed_at = now() WHERE erasure_id = :id"
            ),
            {"id": subject},
        )


def test_nobody_confirms_what_nobody_asked_for_and_nobody_asks_twice(hub, told):
    assert erasure.confirm(later(hub), told.child, actor="Jon Reed") == Refusal(NotErased.NOT_ASKED)
    asked(later(hub), told)
    again = erasure.ask(later(hub), told.child, actor="Jon Reed", reason="x")
    assert again == Refusal(NotErased.ALREADY_ASKED)


@pytest.mark.parametrize(("days", "free"), [(-1, False), (0, True), (1, True)])
def test_it_waits_for_the_last_day_of_the_longest_duty(hub, told, days, free):
    refused = erasure.ask(hub, told.child, actor="Ines Vale", reason="x")
    assert isinstance(refused, Refusal)
    assert refused.why is NotErased.TOO_EARLY
    assert refused.until is not None
    ahead = refused.until - now().date() + timedelta(days=days)
    done = erasure.ask(later(hub, ahead), told.child, actor="Ines Vale", reason="x")
    assert isinstance(done, Done) is free


def test_what_a_school_still_keeps_is_not_erased_however_old(hub, family):
    family.states(add_agency(hub), Category.SCHOOL)
    found = erasure.ask(later(hub, SEVEN_YEARS * 5), family.child, actor="Ines Vale", reason="x")
    assert found == Refusal(NotErased.STILL_KEPT)
    with hub.db.transaction() as conn:
        conn.execute(
            text("UPDATE assertion SET status = 'retracted' WHERE child_id = :child"), {"child": family.child}
        )
    assert isinstance(erasure.ask(later(hub), family.child, actor="Ines Vale", reason="x"), Done)


def test_a_legal_hold_keeps_it_from_being_asked_for_and_from_being_confirmed(hub, told):
    hold = erasure.set_hold(hub, told.child, actor="counsel", reason="a suit")
    assert isinstance(hold, Done)
    assert erasure.ask(later(hub), told.child, actor="Ines Vale", reason="x") == Refusal(NotErased.LEGAL_HOLD)
    assert isinstance(
        erasure.lift_hold(hub, told.child, hold.subject, actor="counsel", reason="settled"), Done
    )
    asked(later(hub), told)
    erasure.set_hold(hub, told.child, actor="counsel", reason="another suit")
    assert erasure.confirm(later(hub), told.child, actor="Jon Reed") == Refusal(NotErased.LEGAL_HOLD)
    assert hub.keys.get(told.child)


def test_a_hold_is_lifted_once_and_only_for_its_own_child(hub, told):
    hold = erasure.set_hold(hub, told.child, actor="counsel", reason="a suit")
    assert isinstance(hold, Done)
    other = Family(hub)
    gone = Refusal(NotErased.NO_SUCH_HOLD)
    assert erasure.lift_hold(hub, other.child, hold.subject, actor="counsel", reason="x") == gone
    assert isinstance(erasure.lift_hold(hub, told.child, hold.subject, actor="counsel", reason="x"), Done)
    assert erasure.lift_hold(hub, told.child, hold.subject, actor="counsel", reason="x") == gone


def test_holds_and_the_asking_are_entries_the_family_reads(hub, told):
    hold = erasure.set_hold(hub, told.child, actor="counsel", reason="a suit")
    assert isinstance(hold, Done)
    erasure.lift_hold(hub, told.child, hold.subject, actor="counsel", reason="settled")
    asked(later(hub), told)
    answer = who_saw_what(hub, told.child, guardian_link=told.link, requester="front desk")
    assert isinstance(answer, Accounting)
    kinds = [line.entry.kind for line in answer.lines]
    assert kinds[-4:-1] == [
        EntryKind.LEGAL_HOLD_SET,
        EntryKind.LEGAL_HOLD_LIFTED,
        EntryKind.ERASURE_ASKED,
    ]
    assert "a suit" not in " ".join(line.sentence for line in answer.lines)


@pytest.mark.parametrize("child", [NOBODY, uuid4()])
def test_neither_nobody_nor_an_unknown_child_is_erased(hub, child):
    assert erasure.ask(hub, child, actor="x", reason="y") == Refusal(NotErased.NO_SUCH_CHILD)
    assert erasure.confirm(hub, child, actor="x") == Refusal(NotErased.NO_SUCH_CHILD)


def test_an_erased_child_is_asked_about_like_one_nobody_knows(hub, told):
    erased(hub, told)
    assert erasure.ask(later(hub), told.child, actor="x", reason="y") == Refusal(NotErased.NO_SUCH_CHILD)
    assert isinstance(who_saw_what(hub, told.child, guardian_link=told.link, requester="x"), Refused)


def test_while_the_ledger_is_halted_nothing_is_destroyed_and_nothing_entered(alone):
    family = settled(alone)
    asked(later(alone), family)
    with alone.db.transaction() as conn:
        witnesses.halt(driver_of(conn), "behind its witnesses", now())
    with pytest.raises(LedgerHalted):
        erasure.confirm(later(alone), family.child, actor="Jon Reed")
    assert alone.keys.get(family.child)
    with alone.db.transaction() as conn:
        found = erasures.find_erasure(conn, family.child)
        assert found is not None
        assert found.confirmed_by is None
        assert conn.exec_driver_sql("SELECT count(*) FROM ledger_pending").scalar_one() == 0


def bodies(urls, child):
    """Every sealed value about the child, as the database's owner could read it."""
    statements = (
        "SELECT body FROM assertion WHERE child_id = %s",
        "SELECT body FROM directive WHERE child_id = %s",
        "SELECT body FROM guardian_link WHERE child_id = %s",
        "SELECT body FROM ledger_entry WHERE child_id = %s",
    )
    with psycopg.connect(libpq_url(urls)) as admin:
        return [bytes(row[0]) for one in statements for row in admin.execute(one.encode(), (child,))]


@pytest.fixture
def alone(fresh_db, keys_copy, tmp_path):
    """A hub with a database and a key store of this test's own."""
    store = open_keystore(keys_copy.app, tmp_path)
    yield a_hub(fresh_db, store, tmp_path)
    store.close()


def settled(hub) -> Family:
    """A child with health facts, a refusal and a permission on record."""
    family = Family(hub)
    clinic = add_agency(hub, programme=Category.HEALTH)
    family.states(clinic, Category.HEALTH, words="a secret ailment", regimes=frozenset({Regime.HLTH}))
    family.permits(clinic)
    release(hub, family.request(add_agency(hub)))
    return family


def test_every_proof_of_the_log_holds_and_its_bodies_open_no_more(alone):
    family = settled(alone)
    before = verify_ledger(alone)
    done = erased(alone, family)
    after = verify_ledger(alone)
    assert (before.sound, after.sound) == (True, True)
    assert before.erased == 0
    assert after.erased == before.opened + 1  # all of the child's, and that the erasure was asked for
    assert after.opened == 1  # that the key was destroyed, under the hub's own key
    assert after.size == done.entry + 1


def test_that_the_key_was_destroyed_and_by_whom_is_an_entry_that_still_opens(alone, fresh_copy):
    family = settled(alone)
    done = erased(alone, family)
    with psycopg.connect(libpq_url(fresh_copy.admin)) as admin:
        row = admin.execute(
            "SELECT entry_id, leaf, body, child_id FROM ledger_entry WHERE seq = %s", (done.entry,)
        ).fetchone()
    assert row is not None
    entry = open_entry(alone.keys.get(NOBODY), row[0], bytes(row[1]), bytes(row[2]))
    assert entry is not None
    assert (entry.kind, entry.actor, row[3]) == (EntryKind.KEY_DESTROYED, "Jon Reed", None)


def test_nothing_sealed_opens_with_any_key_that_is_left(alone, fresh_copy):
    family = settled(alone)
    key = alone.keys.get(family.child)
    held = bodies(fresh_copy.admin, family.child)
    assert len(held) >= 5
    erased(alone, family)
    with pytest.raises(KeyDestroyed):
        alone.keys.get(family.child)
    with psycopg.connect(libpq_url(fresh_copy.admin)) as admin:
        ids = admin.execute(
            "SELECT assertion_id, body FROM assertion WHERE child_id = %s", (family.child,)
        ).fetchall()
    nobody = alone.keys.get(NOBODY)
    for row, body in ids:
        assert key.open(bytes(body), row=row, kind="assertion")  # it was the key that opened it
        with pytest.raises(SealBroken):
            nobody.open(bytes(body), row=row, kind="assertion")


def dumped(postgres, url, path):
    subprocess.run(
        [str(postgres.programs / "pg_dump"), "--dbname", libpq_url(url), "--file", str(path)],
        check=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
    )
    return path.read_text()


def test_a_backup_of_the_main_database_brings_nothing_back(
    alone, postgres, fresh_copy, keys_copy, empty_copy, tmp_path
):
    """The main database is restored from before the erasure; the key store has no older copy than today's."""
    family = settled(alone)
    key = alone.keys.get(family.child)
    dumped(postgres, fresh_copy.admin, tmp_path / "before.sql")
    erased(alone, family)
    keys_now = dumped(postgres, keys_copy.admin, tmp_path / "keys.sql")
    (line,) = [line for line in keys_now.splitlines() if line.startswith(str(family.child))]
    assert line.split("\t")[1] == r"\N"
    subprocess.run(
        [
            str(postgres.programs / "psql"),
            "--quiet",
            "--set",
            "ON_ERROR_STOP=1",
            "--dbname",
            libpq_url(empty_copy.admin),
            "--file",
            str(tmp_path / "before.sql"),
        ],
        check=True,
        timeout=60,
        stdout=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
    )
    restored = open_database(empty_copy.app, 2)
    try:
        hub = replace(alone, db=restored)
        assert len(bodies(empty_copy.admin, family.child)) >= 5
        with pytest.raises(KeyDestroyed):
            hub.keys.get(family.child)
        report = verify_ledger(hub)
        assert (report.sound, report.opened) == (True, 0)
        assert isinstance(who_saw_what(hub, family.child, guardian_link=family.link, requester="x"), Refused)
    finally:
        restored.close()
    assert key  # held by nobody but this test
