"""What families decided comes back as it was given, behind the lock, and only its ending can be written to it."""

from datetime import timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from consent.agreement import AgreementStatus
from consent.directive import State
from consent.guardian import Authority, ChildFacts, Restraint, RestraintKind
from gateway.exchange.context import Hub
from gateway.store import directives
from gateway.store.childkey import SealBroken
from gateway.store.engine import libpq_url
from gateway.store.epochs import NOBODY, ascending, raise_epochs
from gateway.store.pipeline import batch
from gateway.store.snapshot import Seen, SnapshotReading
from mappings.record.base import Period
from mappings.record.category import Category
from tests.gateway.family import LAW, SOON, Family, add_agency, now


def look(hub: Hub, *families: Family, recipient: str = "nobody") -> Seen:
    children = [family.child for family in families]
    keys = hub.keys.get_many(children)
    with hub.db.transaction() as connection, batch(connection) as statements:
        return SnapshotReading(statements, children, recipient).read(keys, LAW)


@pytest.fixture
def clinic(hub):
    return add_agency(hub)


def test_a_directive_comes_back_as_it_was_signed(hub, family, clinic):
    given = family.sentence(
        clinic,
        Category.SCHOOL,
        Category.HEALTH,
        disclosers=frozenset({"one", "two"}),
        data_period=Period(start=now().date()),
        ends_on_event="end-of-programme",
        supersedes=uuid4(),
    )
    with hub.db.transaction() as connection:
        directives.add_directive(connection, family.key, given)
    seen = look(hub, family).children[family.child].snapshot
    assert seen.directives == (given,)


def test_links_restraints_and_facts_come_back_as_they_were_written(hub, family):
    link = family.guardian(
        uuid4(), authority=Authority.NONE, evidence_id=uuid4(), restricted=frozenset({Category.HEALTH})
    )
    order = Restraint(
        restraint_id=uuid4(),
        child_id=family.child,
        kind=RestraintKind.SAFETY_HOLD,
        guardian_link_id=link.guardian_link_id,
        recipient="someone",
        categories=frozenset({Category.SAFETY}),
        valid_from=now(),
        valid_until=now() + SOON,
    )
    with hub.db.transaction() as connection:
        directives.add_links(connection, [(family.key, link)])
        directives.add_restraint(connection, family.key, order, "sealed grounds")
    snapshot = look(hub, family).children[family.child].snapshot
    assert link in snapshot.links
    assert len(snapshot.links) == 3
    assert snapshot.restraints == (order,)
    assert snapshot.child == ChildFacts(family.child, family.born, ZoneInfo("America/New_York"))


def test_a_link_changes_with_what_verification_finds(hub, family):
    found = family.guardian(family.link, authority=Authority.NONE, restricted=frozenset({Category.HOME}))
    with hub.db.transaction() as connection:
        assert directives.change_link(connection, family.key, found)
        assert not directives.change_link(connection, family.key, family.guardian(uuid4()))
    assert found in look(hub, family).children[family.child].snapshot.links


def test_ending_is_the_only_change_a_directive_allows_and_it_happens_once(hub, family, clinic):
    directive = family.permits(clinic)
    with hub.db.transaction() as connection:
        assert directives.set_state(connection, family.child, directive, State.DISPUTED)
        assert directives.end_directive(connection, family.child, directive, State.WITHDRAWN, now())
        assert not directives.end_directive(connection, family.child, directive, State.WITHDRAWN, now())
        assert not directives.set_state(connection, family.child, directive, State.GIVEN)
    (ended,) = look(hub, family).children[family.child].snapshot.directives
    assert ended.state is State.WITHDRAWN
    assert ended.revoked_at is not None


def test_a_directive_of_another_child_is_not_ended_by_its_number(hub, family, clinic):
    directive = family.permits(clinic)
    other = Family(hub)
    with hub.db.transaction() as connection:
        assert not directives.end_directive(connection, other.child, directive, State.WITHDRAWN, now())


@pytest.mark.parametrize(
    "change",
    [
        "categories = '{health}'",
        "recipient = 'other'",
        "valid_until = now() + interval '9 years'",
        "body = ''",
    ],
)
def test_nobody_rewrites_what_was_signed(hub, worker_copy, family, clinic, change):
    directive = family.permits(clinic)
    with psycopg.connect(libpq_url(worker_copy.admin)) as admin:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="what was signed"):
            admin.execute(f"UPDATE directive SET {change} WHERE directive_id = %s".encode(), (directive,))
        admin.rollback()


def test_an_ended_directive_cannot_be_given_again(hub, worker_copy, family, clinic):
    directive = family.permits(clinic)
    with hub.db.transaction() as connection:
        directives.end_directive(connection, family.child, directive, State.WITHDRAWN, now())
    with pytest.raises(DBAPIError, match="what was signed"), hub.db.transaction() as connection:
        connection.execute(
            text("UPDATE directive SET state = 'given', ended_at = NULL WHERE directive_id = :d"),
            {"d": directive},
        )


def test_what_is_sealed_lies_in_no_column(hub, worker_copy, family, clinic):
    given = family.sentence(clinic, ends_on_event="canary-event", reason="canary-reason")
    with hub.db.transaction() as connection:
        directives.add_directive(connection, family.key, given)
    with psycopg.connect(libpq_url(worker_copy.admin)) as admin:
        rows = admin.execute("SELECT directive::text FROM directive").fetchall()
        rows += admin.execute("SELECT child_fact::text FROM child_fact").fetchall()
        rows += admin.execute("SELECT guardian_link::text FROM guardian_link").fetchall()
    for secret in ("canary", "2015-03-04", "America"):
        assert not any(secret in row[0] or secret.encode().hex() in row[0] for row in rows)


def test_a_child_whose_key_was_destroyed_has_no_directives(hub, clinic):
    family = Family(hub)
    family.permits(clinic)
    hub.keys.destroy(family.child)
    standing = look(hub, family).children[family.child]
    assert standing.snapshot.directives == ()
    assert standing.snapshot.child.birth_date is None


def test_children_of_one_look_do_not_mix(hub, clinic):
    families = [Family(hub) for _ in range(4)]
    permits = {family.child: family.permits(clinic) for family in families[::2]}
    seen = look(hub, *families, recipient=clinic)
    for family in families:
        snapshot = seen.children[family.child].snapshot
        assert [d.directive_id for d in snapshot.directives] == [
            permits[child] for child in [family.child] if child in permits
        ]
        assert {link.child_id for link in snapshot.links} == {family.child}
        assert snapshot.child_epoch == 1 + (family.child in permits)


def test_an_agreement_stands_as_the_database_says_in_the_words_of_consent(hub, family, clinic):
    def status() -> list[AgreementStatus]:
        snapshot = look(hub, family, recipient=clinic).children[family.child].snapshot
        return [agreement.status for agreement in snapshot.agreements]

    assert status() == [AgreementStatus.IN_FORCE]
    change = text("UPDATE agreement SET status = :s WHERE org = :o")
    for meant in AgreementStatus:
        with hub.db.transaction() as connection:
            connection.execute(change, {"s": meant.value, "o": clinic})
        assert status() == [meant]
    for other in ("active", "retired", ""):
        with pytest.raises(IntegrityError), hub.db.transaction() as connection:
            connection.execute(change, {"s": other, "o": clinic})


def test_the_child_nobody_knows_has_a_lock_and_nothing_else(hub):
    with hub.db.transaction() as connection, batch(connection) as statements:
        seen = SnapshotReading(statements, [NOBODY], "nobody").read({}, LAW)
    standing = seen.children[NOBODY]
    assert standing.state is None
    assert standing.snapshot.child_epoch == 1
    assert standing.snapshot.directives == ()


def test_the_instant_is_read_behind_the_lock(hub, family):
    before = now()
    seen = look(hub, family)
    assert before - timedelta(seconds=1) < seen.at < now() + timedelta(seconds=1)
    assert seen.rules_version == LAW.version


def test_raising_counters_locks_in_ascending_order_and_counts_each_child_once(hub):
    families = [Family(hub) for _ in range(3)]
    children = [family.child for family in families]
    with hub.db.transaction() as connection:
        assert raise_epochs(connection, [*children, children[0]]) == dict.fromkeys(children, 2)
        assert raise_epochs(connection, [uuid4()]) == {}
    assert ascending([*children, children[0]]) == sorted(children)


def test_facts_of_many_children_are_written_at_once(hub):
    families = [Family(hub) for _ in range(2)]
    changed = ChildFacts(families[0].child, None, ZoneInfo("Europe/Paris"), "elsewhere")
    with hub.db.transaction() as connection:
        directives.change_child_facts(connection, families[0].key, changed, now())
    seen = look(hub, *families)
    assert seen.children[families[0].child].snapshot.child == changed
    assert seen.children[families[1].child].snapshot.child.birth_date == families[1].born


def test_a_sealed_part_opens_for_its_own_row_only(hub, family):
    sealed = family.key.seal(b"{}", row=uuid4(), kind="child-fact")
    with pytest.raises(SealBroken):
        directives.open_child_facts(family.key, family.child, sealed)
    body = b'{"birth_date": null, "zone": "Nowhere/Else", "jurisdiction": "default"}'
    sealed = family.key.seal(body, row=family.child, kind="child-fact")
    with pytest.raises(ValueError, match="zone Nowhere/Else is not known"):
        directives.open_child_facts(family.key, family.child, sealed)
