"""Assertions are appended, superseded and retracted, never rewritten; intake compares without opening (ARCHITECTURE §4)."""

import json
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.exchange.context import Hub
from gateway.store import records
from gateway.store.childkey import SealBroken
from gateway.store.engine import libpq_url
from gateway.store.pipeline import batch
from gateway.store.records import Appended, Fact
from mappings.record.assertion import AssertedBy, Quality, SourceRef, StoredAssertion
from mappings.record.base import Period
from mappings.record.category import Category
from mappings.record.kind import Kind
from mappings.record.regime import Regime
from mappings.record.sensitivity import Label
from tests.gateway.family import Family, add_agency, now


@pytest.fixture
def school(hub):
    return add_agency(hub)


def keep(hub: Hub, *facts: Fact) -> Appended:
    with hub.db.transaction() as connection:
        return records.append(connection, facts)


def imported(family: Family, org: str, words: str, source_key: bytes) -> Fact:
    """The fact as an import would make it: a new id each time, the same source key."""
    return Fact(family.key, family.fact(org, Category.SCHOOL, words=words), uuid4(), source_key)


def current(hub: Hub, family: Family, status: str | None = "current") -> list[records.Envelope]:
    with hub.db.transaction() as connection:
        return records.envelopes(connection, [family.child], status=status)


def opened(hub: Hub, family: Family) -> list[StoredAssertion]:
    """What the family may read, through a decision written by hand."""
    request = family.request(
        "reader",
        *Category,
        basis="family",
        purpose="FAMRQT",
        guardian_link_id=family.link,
    )
    with hub.db.transaction() as connection:
        at = connection.execute(text("SELECT statement_timestamp()")).scalar_one()
        release = uuid4()
        values: dict[str, Any] = {"r": release, "c": family.child, "at": at, "l": [family.link], "d": uuid4()}
        connection.execute(text("INSERT INTO release VALUES (:r, 'reader', 'test', 'FAMRQT', :at)"), values)
        connection.execute(
            text(
                "INSERT INTO decision SELECT :d, :r, :c, 'reader', 'FAMRQT', 'family', '{plan,referral,outcome}', "
                ":topics, '{}', :l, e.epoch, 0, r.rules_version, 'permit', :at, :at + interval '60 s' "
                "FROM consent_epoch e, rules_in_force r WHERE e.child_id = :c"
            ),
            values | {"topics": [category.value for category in Category]},
        )
        connection.execute(text("SET LOCAL ROLE planhub_family"))
        connection.execute(text("SELECT set_config('planhub.release', :r, true)"), {"r": str(release)})
        with batch(connection) as statements:
            rows = records.read_released(
                statements,
                children=[family.child],
                categories=[category.value for category in request.categories],
                parts=["plan", "referral", "outcome"],
                about=None,
            ).fetchall()
    return list(records.open_assertions(rows, {family.child: family.key}))


def test_an_assertion_comes_back_as_it_was_stated(hub, family, school):
    fact = family.fact(
        school,
        Category.HEALTH,
        asserted_by=AssertedBy(org=school, person="staff:7", role="nurse"),
        effective=Period(start=now().date()),
        source=SourceRef(system="sis", record_id="r1", path="goals.0", version="3"),
        regimes=frozenset({Regime.EDU, Regime.HLTH}),
        labels=frozenset({Label.RESTRICTED, Label.MENTAL_HEALTH}),
        quality=Quality.VERIFIED,
        links=(uuid4(), uuid4()),
        supersedes=uuid4(),
    )
    keep(hub, Fact(family.key, fact))
    assert opened(hub, family) == [fact]


def test_the_same_import_twice_changes_nothing(hub, family, school):
    keys = [uuid4().bytes for _ in range(3)]
    first = keep(hub, *(imported(family, school, "likes drums", key) for key in keys))
    again = keep(hub, *(imported(family, school, "likes drums", key) for key in keys))
    assert (len(first.added), first.unchanged) == (3, 0)
    assert again == Appended((), (), 3)
    assert len(current(hub, family)) == 3


def test_a_changed_fact_supersedes_what_it_replaces(hub, family, school):
    key = uuid4().bytes
    first = keep(hub, imported(family, school, "likes drums", key))
    second = keep(hub, imported(family, school, "likes the cello", key))
    assert second.superseded == first.added
    (now_current,) = current(hub, family)
    assert now_current.assertion_id == second.added[0]
    with hub.db.transaction() as connection:
        supersedes = connection.execute(
            text("SELECT supersedes FROM assertion WHERE assertion_id = :a"), {"a": second.added[0]}
        ).scalar_one()
    assert supersedes == first.added[0]
    assert {envelope.status for envelope in current(hub, family, None)} == {"current", "superseded"}


@pytest.mark.parametrize(
    "change",
    [
        {"category": Category.HEALTH},
        {"labels": frozenset({Label.VIOLENCE})},
        {"regimes": frozenset({Regime.HLTH})},
        {"effective": Period(start=now().date())},
        {"asserted_by": AssertedBy(org="another")},
    ],
)
def test_a_fact_changes_with_its_meaning_not_only_with_its_value(hub, family, school, change):
    fact = imported(family, school, "likes drums", uuid4().bytes)
    keep(hub, fact)
    moved = fact.assertion.model_copy(update={"assertion_id": uuid4(), **change})
    assert len(keep(hub, replace(fact, assertion=moved)).added) == 1


def test_a_fact_is_compared_by_one_written_form_that_stays_from_release_to_release(family, school):
    fact = family.fact(
        school,
        Category.HEALTH,
        words="Jos\u00e9 rides",
        asserted_by=AssertedBy(org=school, person="staff:7"),
        effective=Period(start=date(2026, 9, 1)),
        regimes=frozenset({Regime.EDU, Regime.HLTH}),
    )
    written = {
        "asserted_by": {"org": school, "person": "staff:7", "role": None},
        "category": "health",
        "effective": {"start": "2026-09-01", "end": None},
        "kind": fact.kind.value,
        "labels": sorted(fact.labels),
        "method": fact.method.value,
        "regimes": sorted(fact.regimes),
        "value": fact.value,
    }
    expected = json.dumps(written, sort_keys=True, separators=(",", ":")).encode()
    assert records.value_digest(family.key, fact) == family.key.digest(expected)


def test_a_fact_does_not_change_with_ids_and_times(hub, family, school):
    fact = imported(family, school, "likes drums", uuid4().bytes)
    keep(hub, fact)
    later = fact.assertion.model_copy(
        update={"assertion_id": uuid4(), "received_at": now(), "asserted_at": now(), "links": (uuid4(),)}
    )
    assert keep(hub, replace(fact, assertion=later)).unchanged == 1


def test_what_people_enter_stands_side_by_side(hub, family, school):
    fact = family.fact(school, Category.SCHOOL)
    twin = fact.model_copy(update={"assertion_id": uuid4()})
    assert len(keep(hub, Fact(family.key, fact), Fact(family.key, twin)).added) == 2


def test_two_facts_of_one_import_with_one_key_are_a_fault_of_the_map(hub, family, school):
    key = uuid4().bytes
    with pytest.raises(ValueError, match="the same source key"):
        keep(hub, imported(family, school, "a", key), imported(family, school, "b", key))
    assert current(hub, family) == []


def test_a_retracted_fact_is_no_longer_current_and_stays_on_record(hub, family, school):
    (added,) = keep(hub, imported(family, school, "likes drums", uuid4().bytes)).added
    with hub.db.transaction() as connection:
        assert records.change_status(connection, [added], "retracted") == [added]
        assert records.change_status(connection, [added], "superseded") == []
        assert records.change_status(connection, [], "retracted") == []
    assert current(hub, family) == []
    assert len(current(hub, family, None)) == 1


def test_a_fact_retracted_and_sent_again_is_current_again(hub, family, school):
    key = uuid4().bytes
    (added,) = keep(hub, imported(family, school, "likes drums", key)).added
    with hub.db.transaction() as connection:
        records.change_status(connection, [added], "retracted")
    assert len(keep(hub, imported(family, school, "likes drums", key)).added) == 1
    assert len(current(hub, family)) == 1


def test_a_family_may_dispute_a_fact_and_every_reader_is_shown(hub, family, school):
    (added,) = keep(hub, imported(family, school, "likes drums", uuid4().bytes)).added
    with hub.db.transaction() as connection:
        assert records.dispute(connection, [added]) == 1
    assert [found.quality for found in opened(hub, family)] == [Quality.DISPUTED]


@pytest.mark.parametrize(
    "change",
    [
        "body = ''",
        "category = 'school'",
        "child_id = gen_random_uuid()",
        "org = 'other'",
        "kind = 'goal'",
        "part = 'outcome'",
        "labels = '{}'",
        "asserted_at = now()",
        "value_digest = ''",
        "quality = 'verified'",
        "status = 'entered-in-error'",
    ],
)
def test_nobody_rewrites_an_assertion(hub, worker_copy, family, school, change):
    family.states(school, Category.HEALTH)
    with psycopg.connect(libpq_url(worker_copy.admin)) as admin:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="immutable"):
            admin.execute(f"UPDATE assertion SET {change} WHERE child_id = %s".encode(), (family.child,))
        admin.rollback()


def test_a_superseded_fact_never_becomes_current_again(hub, family, school):
    (added,) = family.states(school, Category.SCHOOL)
    with hub.db.transaction() as connection:
        records.change_status(connection, [added], "superseded")
    with pytest.raises(DBAPIError, match="immutable"), hub.db.transaction() as connection:
        connection.execute(
            text("UPDATE assertion SET status = 'current' WHERE assertion_id = :a"), {"a": added}
        )


def test_an_import_that_another_has_overtaken_adds_nothing(hub, worker_copy, family, school, monkeypatch):
    """The other one committed between our look and our insert; were it still open, ours would fail and be run again."""
    key = uuid4().bytes
    ours, theirs = (imported(family, school, words, key) for words in ("ours", "theirs"))
    take = records._take

    def overtaken(*arguments: Any) -> list[UUID]:
        with psycopg.connect(libpq_url(worker_copy.admin)) as admin:
            row = records._row(theirs, b"digest", None)
            names, marks = ", ".join(records._COLUMNS), ", ".join(["%s"] * len(row))
            admin.execute(f"INSERT INTO assertion ({names}) VALUES ({marks})".encode(), row)
        return take(*arguments)

    monkeypatch.setattr(records, "_take", overtaken)
    assert keep(hub, ours) == Appended((), (), 0)
    assert [envelope.assertion_id for envelope in current(hub, family)] == [theirs.assertion.assertion_id]


def test_many_facts_are_kept_in_pieces(hub, family, school, monkeypatch):
    monkeypatch.setattr(records, "_CHUNK", 7)
    facts = [imported(family, school, f"words {n}", uuid4().bytes) for n in range(40)]
    assert len(keep(hub, *facts).added) == 40
    assert keep(hub, *facts).unchanged == 40


def test_what_a_fact_says_lies_in_no_column(hub, worker_copy, family, school):
    family.states(school, Category.SCHOOL, words="canary words")
    with psycopg.connect(libpq_url(worker_copy.admin)) as admin:
        rows = admin.execute("SELECT assertion::text FROM assertion").fetchall()
    assert rows
    assert not any("canary" in row[0] or b"canary".hex() in row[0] for row in rows)


def test_a_body_moved_to_another_row_does_not_open(hub, worker_copy, family, school):
    one, other = family.states(school, Category.SCHOOL, Category.SCHOOL)
    with psycopg.connect(libpq_url(worker_copy.admin)) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(
            "UPDATE assertion SET body = (SELECT body FROM assertion WHERE assertion_id = %s) WHERE assertion_id = %s",
            (one, other),
        )
    with pytest.raises(SealBroken):
        opened(hub, family)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=4), max_size=5))
def test_whatever_the_imports_one_fact_per_key_is_current_and_it_is_the_last_one(hub, school, imports):
    family = Family(hub)
    base = uuid4().bytes
    last: dict[int, int] = {}
    for one in imports:
        stated = dict(one)
        keep(hub, *(imported(family, school, f"words {v}", base + bytes([k])) for k, v in stated.items()))
        last |= stated
    assert {found.value["statement"] for found in opened(hub, family)} == {
        f"words {v}" for v in last.values()
    }
    assert len(current(hub, family)) == len(last)
    assert all(envelope.kind == Kind.FAMILY_VOICE for envelope in current(hub, family))
