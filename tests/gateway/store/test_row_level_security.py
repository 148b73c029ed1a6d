"""PostgreSQL itself refuses: no decision, no row (issue 2)."""

from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.exchange.permission import revoke
from gateway.store.engine import Role, libpq_url, open_database
from gateway.store.epochs import raise_epochs
from mappings.record.category import Category
from mappings.record.kind import Kind
from tests.gateway.family import Family, a_hub, add_agency, let_out
from tests.gateway.store.case import BODIES, Case, read


@pytest.fixture
def case(hub, family):
    return Case(family, add_agency(hub), add_agency(hub))


def test_a_live_decision_shows_its_child_and_topic_and_nothing_else(hub, case):
    other = Family(hub)
    other.states(add_agency(hub), Category.SCHOOL)
    with hub.db.transaction() as connection:
        assert read(connection, case.decide(connection)) == {case.fact}


def test_without_a_release_there_are_no_rows(hub, case):
    with hub.db.transaction() as connection:
        case.decide(connection)
        assert read(connection, None) == set()


def test_a_release_without_a_decision_shows_no_rows(hub, case):
    with hub.db.transaction() as connection:
        case.decide(connection)
        assert read(connection, uuid4()) == set()


def test_a_denial_shows_no_rows(hub, case):
    with hub.db.transaction() as connection:
        release_id = case.decide(connection, outcome="deny", categories=[], directive_ids=[])
        assert read(connection, release_id) == set()


def test_another_part_of_the_record_stays_hidden(hub, case):
    case.family.states(case.recipient, Category.SCHOOL, part_of=Kind.REFERRAL_EVENT)
    with hub.db.transaction() as connection:
        assert read(connection, case.decide(connection)) == {case.fact}


def test_a_decision_ends_with_its_time(hub, case):
    with hub.db.transaction() as connection:
        at = connection.execute(text("SELECT statement_timestamp()")).scalar_one()
        release_id = case.decide(connection, expires=at + timedelta(milliseconds=150))
        connection.execute(text("SELECT pg_sleep(0.2)"))
        assert read(connection, release_id) == set()


def test_a_decision_ends_with_the_childs_epoch(hub, case):
    with hub.db.transaction() as connection:
        release_id = case.decide(connection)
    with hub.db.transaction() as connection:
        assert read(connection, release_id) == {case.fact}
    with hub.db.transaction() as connection:
        raise_epochs(connection, [case.family.child])
    with hub.db.transaction() as connection:
        assert read(connection, release_id) == set()


def test_a_decision_ends_with_the_recipients_agreement_epoch(hub, case):
    with hub.db.transaction() as connection:
        release_id = case.decide(connection)
        connection.execute(
            text("UPDATE agreement_epoch SET epoch = epoch + 1 WHERE org = :o"), {"o": case.recipient}
        )
        assert read(connection, release_id) == set()


def test_a_decision_ends_when_other_rules_come_into_force(hub, case):
    with hub.db.transaction() as connection:
        release_id = case.decide(connection)
        connection.execute(text("UPDATE rules_in_force SET rules_version = 'other'"))
        assert read(connection, release_id) == set()
        connection.rollback()


def test_a_family_reads_only_as_family_and_a_release_not_at_all_on_that_basis(hub, case):
    with hub.db.transaction() as connection:
        release_id = case.decide(
            connection, basis="family", evidence_ids=[case.family.link], directive_ids=[]
        )
    with hub.db.transaction() as connection:
        assert read(connection, release_id, Role.FAMILY) == {case.fact}
    with hub.db.transaction() as connection:
        assert read(connection, release_id, Role.RELEASE) == set()


def test_an_agencys_own_basis_shows_only_what_it_sent(hub, case):
    mine = case.family.states(case.recipient, Category.SCHOOL)[0]
    with hub.db.transaction() as connection:
        assert read(connection, case.decide(connection, basis="own", directive_ids=[])) == {mine}


def test_a_view_does_not_lead_around_it(hub, case, fresh_copy, keystore, tmp_path):
    """Neither a view of the login's own, nor one of the owner's, with or without the reader's rights."""
    database = open_database(fresh_copy.app)
    family = Family(a_hub(database, keystore, tmp_path))
    family.states(add_agency(family.hub), Category.SCHOOL)
    with psycopg.connect(libpq_url(fresh_copy.admin), autocommit=True) as admin:
        assert admin.execute("SELECT count(*) FROM assertion").fetchone() == (1,)
        admin.execute("SET ROLE planhub_owner")
        admin.execute("CREATE VIEW as_owner AS SELECT body FROM assertion")
        admin.execute("CREATE VIEW as_reader WITH (security_invoker) AS SELECT body FROM assertion")
        admin.execute("GRANT SELECT ON as_owner, as_reader TO planhub_app, planhub_release")
        assert admin.execute("SELECT count(*) FROM assertion").fetchone() == (0,)
    with psycopg.connect(libpq_url(fresh_copy.app), autocommit=True) as connection:
        assert connection.execute("SELECT * FROM as_owner").fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM as_reader")
        with connection.transaction():
            connection.execute("SET LOCAL ROLE planhub_release")
            assert connection.execute("SELECT * FROM as_owner").fetchall() == []
            assert connection.execute("SELECT * FROM as_reader").fetchall() == []
        connection.execute("CREATE TEMPORARY VIEW mine AS SELECT body FROM assertion")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM mine")
    database.close()


def test_a_pooled_connection_carries_nothing_from_a_release_to_its_next_user(hub, case, worker_copy):
    database = open_database(worker_copy.app, pool_size=1)
    try:
        alone = a_hub(database, hub.keys, hub.settings.home)
        let_out(alone, case.family.request(case.recipient))
        for _ in range(2):
            with database.transaction() as connection:
                assert connection.execute(text("SELECT current_user")).scalar_one() == "planhub_app"
                assert read(connection, None) == set()
        with pytest.raises(DBAPIError, match="permission denied"), database.transaction() as connection:
            connection.execute(text(BODIES))
    finally:
        database.close()


def test_what_a_release_set_for_the_whole_session_opens_nothing_once_its_decision_ended(
    hub, case, worker_copy
):
    with psycopg.connect(libpq_url(worker_copy.app)) as connection:
        with hub.db.transaction() as other:
            release_id = case.decide(other)
        connection.execute("SELECT set_config('planhub.release', %s, false)", (str(release_id),))
        connection.execute("SET ROLE planhub_release")
        assert connection.execute(BODIES).fetchall() != []
        connection.commit()
        revoke(hub, case.family.child, case.permit, by_link=case.family.link, actor="guardian")
        assert connection.execute(BODIES).fetchall() == []
        with connection.cursor() as cursor, cursor.copy("COPY assertion TO STDOUT") as copy:
            assert list(copy) == []


def test_copy_from_goes_around_nothing(worker_copy, case):
    with psycopg.connect(libpq_url(worker_copy.app)) as connection:
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="row-level security"):
            connection.execute("COPY assertion FROM STDIN")
        connection.rollback()
