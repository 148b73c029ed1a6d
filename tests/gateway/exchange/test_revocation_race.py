"""Nothing is released after a stop: lock, then look (ARCHITECTURE §6; consent.md §7, attack 1)."""

import os
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from operator import attrgetter
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Row, text

from consent.vocabulary import Reason
from gateway.exchange.audit import verify_ledger
from gateway.exchange.disclosure import Released
from gateway.exchange.permission import Changed, revoke
from gateway.exchange.release import release
from gateway.store import directives, snapshot
from gateway.store.engine import libpq_url, open_database
from gateway.store.keys import open_keystore
from mappings.record.category import Category
from tests.gateway.family import Family, a_hub, add_agency, held_back, let_out
from tests.servers import Copy

RELEASES = int(os.environ.get("PLANHUB_TEST_RACE_RELEASES", "600"))
"""Releases of the race below; 10,000 in `.ci/run`."""
WRITERS = 6
TOGGLERS = 3
CHILDREN = 12  # several, since each stop leaves a row that every later decision weighs
PATIENCE = 20


@pytest.fixture
def case(hub, family):
    school, clinic = add_agency(hub), add_agency(hub)
    family.states(school, Category.SCHOOL)
    return family, clinic, family.permits(clinic)


def stop(family: Family, directive: UUID) -> Changed:
    changed = revoke(family.hub, family.child, directive, by_link=family.link, actor="guardian")
    assert isinstance(changed, Changed)
    return changed


@contextmanager
def parked(monkeypatch, where, name):
    """The named function, once called by another thread, does its work and then waits until the block lets it go on."""
    reached, go = threading.Event(), threading.Event()
    original = getattr(where, name)

    def wait(*arguments, **named):
        result = original(*arguments, **named)
        reached.set()
        assert go.wait(PATIENCE)
        return result

    monkeypatch.setattr(where, name, wait)
    try:
        yield reached, go
    finally:
        go.set()
        monkeypatch.setattr(where, name, original)


def until_waiting(copy: Copy) -> None:
    """Returns once some connection of this database waits for another one's row."""
    with psycopg.connect(libpq_url(copy.admin), autocommit=True) as admin:
        for _ in range(PATIENCE * 100):
            row = admin.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ).fetchone()
            if row is not None and row[0] > 0:
                return
            time.sleep(0.01)
    pytest.fail("nobody waits")


def test_a_stop_parked_before_its_commit_wins_over_a_release_that_came_later(case, worker_copy, monkeypatch):
    family, clinic, directive = case
    with ThreadPoolExecutor(2) as pool:
        with parked(monkeypatch, directives, "end_directive") as (reached, go):
            stopping = pool.submit(stop, family, directive)
            assert reached.wait(PATIENCE)
            releasing = pool.submit(held_back, family.hub, family.request(clinic))
            until_waiting(worker_copy)
            assert not releasing.done()
            go.set()
        assert stopping.result(PATIENCE).entries
        assert releasing.result(PATIENCE).reasons == {Category.SCHOOL: Reason.REVOKED}


def test_a_stop_parked_between_the_lock_and_the_look_waits_and_is_entered_after_the_release(
    case, worker_copy, monkeypatch
):
    family, clinic, directive = case
    with ThreadPoolExecutor(2) as pool:
        with parked(monkeypatch, snapshot.SnapshotReading, "read") as (reached, go):
            releasing = pool.submit(let_out, family.hub, family.request(clinic))
            assert reached.wait(PATIENCE)
            stopping = pool.submit(stop, family, directive)
            until_waiting(worker_copy)
            assert not stopping.done()
            go.set()
        released, stopped = releasing.result(PATIENCE), stopping.result(PATIENCE)
    assert released.sealed.entry < stopped.entries[0]
    held_back(family.hub, family.request(clinic))


def test_why_the_lock_is_a_statement_of_its_own(case, worker_copy):
    """One joined statement returns, after waiting, the new counter with the old directive: PostgreSQL re-reads only what it locks."""
    family, _, directive = case
    joined = (
        "SELECT e.epoch, d.state FROM consent_epoch e JOIN directive d USING (child_id) "
        "WHERE e.child_id = %s AND d.directive_id = %s FOR SHARE OF e"
    )
    with psycopg.connect(libpq_url(worker_copy.app)) as reader, family.hub.db.transaction() as writer:
        before = reader.execute(joined, (family.child, directive)).fetchone()
        reader.rollback()
        writer.execute(
            text("UPDATE consent_epoch SET epoch = epoch + 1 WHERE child_id = :c"), {"c": family.child}
        )
        writer.execute(
            text("UPDATE directive SET state = 'withdrawn', ended_at = now() WHERE directive_id = :d"),
            {"d": directive},
        )
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(lambda: reader.execute(joined, (family.child, directive)).fetchone())
            until_waiting(worker_copy)
            writer.commit()
            seen = waiting.result(PATIENCE)
    assert before is not None
    assert seen == (before[0] + 1, "given")


def _write(urls: tuple[str, str], home: str, children: list[UUID], clinic: str, count: int, seed: int) -> int:
    """Half of the writers, in a process of its own: release until each has `count`; how many tries were refused."""
    database, keys = open_database(urls[0]), open_keystore(urls[1], Path(home))
    hub = a_hub(database, keys, Path(home))

    def write(start: int) -> int:
        family = object.__new__(Family)  # for its requests only: these children exist
        released = tries = 0
        while released < count and tries < 50 * count:
            family.child = children[(start + tries) % len(children)]
            released += isinstance(release(hub, family.request(clinic)), Released)
            tries += 1
        assert released == count
        return tries - released

    with ThreadPoolExecutor(WRITERS // 2) as pool:
        refused = sum(pool.map(write, range(seed, seed + WRITERS // 2)))
    database.close()
    keys.close()
    return refused


def test_six_writers_against_a_toggling_directive_release_nothing_after_a_stop(
    fresh_copy, keys_copy, tmp_path
):
    database, keys = open_database(fresh_copy.app), open_keystore(keys_copy.app, tmp_path)
    hub = a_hub(database, keys, tmp_path)
    school, clinic = add_agency(hub), add_agency(hub)
    families = [Family(hub) for _ in range(CHILDREN)]
    for family in families:
        family.states(school, Category.SCHOOL)
    children = [family.child for family in families]
    over = threading.Event()

    def toggle(families: list[Family]) -> int:
        """Give, and then again and again stop and give: what is released in between must stand in between."""
        given = {family.child: family.permits(clinic) for family in families}
        toggles = 0
        while not over.is_set():
            for family in families:
                stop(family, given[family.child])
                given[family.child] = family.permits(clinic)
                toggles += 1
                over.wait(0.05)
        return toggles

    urls = (fresh_copy.app, keys_copy.app)
    with ThreadPoolExecutor(TOGGLERS) as pool, get_context("spawn").Pool(2) as writers:
        toggling = [pool.submit(toggle, families[share::TOGGLERS]) for share in range(TOGGLERS)]
        count = -(-RELEASES // WRITERS)
        tasks = [(urls, str(tmp_path), children, clinic, count, seed) for seed in (0, WRITERS // 2)]
        try:
            refused = sum(writers.starmap_async(_write, tasks).get(3_000))
        finally:
            over.set()
        toggles = sum(task.result(60) for task in toggling)
    with hub.db.transaction() as connection:
        log = connection.execute(
            text("SELECT child_id, kind, pending_id, seq FROM ledger_entry ORDER BY seq")
        ).all()
    assert toggles > 0
    assert refused > 0
    assert sum(row.kind == "disclosure" for row in log) >= RELEASES
    # pending_id is drawn under the child's lock, seq is what the tree says: in both a stop stands where it happened
    assert disclosed_while_stopped(log, "pending_id") == []
    assert disclosed_while_stopped(log, "seq") == []
    assert verify_ledger(hub, bodies=False).sound
    database.close()
    keys.close()


def disclosed_while_stopped(log: Iterable[Row[Any]], by: str) -> list[int]:
    """Numbers of disclosures that stand, in this order of the entries, where no directive did."""
    standing: set[UUID] = set()
    wrong = []
    for row in sorted(log, key=attrgetter(by)):
        if row.kind == "directive_given":
            standing.add(row.child_id)
        elif row.kind == "directive_ended":
            standing.discard(row.child_id)
        elif row.kind == "disclosure" and row.child_id not in standing:
            wrong.append(row.seq)
    return wrong
