"""Migrations: numbered, one head, forward only, the same on PostgreSQL 15 and 18, and they say what the tables say."""

import itertools
import os
import re
import threading
from uuid import uuid4

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import make_url

from gateway.store import migrate
from gateway.store.engine import libpq_url, open_database
from mappings.record.category import Category
from tests.gateway.family import Family, a_hub, add_agency, held_back, let_out
from tests.gateway.store.test_access import GOLDEN, shape_of


def revisions() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def test_there_is_one_head():
    assert len(revisions().get_heads()) == 1


def test_they_are_numbered_without_a_gap_in_the_order_they_run():
    found = [revision.revision for revision in revisions().walk_revisions()][::-1]
    assert found == [f"{number:04}" for number in range(1, len(found) + 1)]
    files = sorted(
        path.name for path in (migrate.MIGRATIONS / "versions").glob("*.py") if path.name[0] != "_"
    )
    assert all(re.fullmatch(r"\d{4}_[a-z_]+\.py", name) for name in files)
    assert [name[:4] for name in files] == found


def test_none_of_them_goes_back():
    for path in (migrate.MIGRATIONS / "versions").glob("0*.py"):
        assert "def downgrade" not in path.read_text()


def test_every_statement_file_belongs_to_a_migration():
    written = "".join(path.read_text() for path in (migrate.MIGRATIONS / "versions").glob("0*.py"))
    for path in (migrate.MIGRATIONS / "sql").iterdir():
        assert f'"{path.stem.split("_", 1)[1]}"' in written


def test_the_database_and_the_tables_in_the_code_agree(empty_copy):
    migrate.upgrade(empty_copy.admin)
    migrate.check(empty_copy.admin)


def test_running_again_changes_nothing(empty_copy):
    migrate.upgrade(empty_copy.admin)
    before = shape_of(empty_copy.admin)
    migrate.upgrade(empty_copy.admin)
    assert shape_of(empty_copy.admin) == before


def test_two_runners_at_once_do_the_work_once(empty_copy):
    failures = []

    def run():
        try:
            migrate.upgrade(empty_copy.admin)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            failures.append(error)

    runners = [threading.Thread(target=run) for _ in range(4)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert failures == []
    migrate.check(empty_copy.admin)


def test_an_upgrade_gives_up_on_a_table_somebody_holds(empty_copy, monkeypatch):
    monkeypatch.setattr(migrate, "_LOCK_TIMEOUT", "200ms")
    with psycopg.connect(libpq_url(empty_copy.admin)) as holder:
        holder.execute("CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)")
        holder.execute("GRANT ALL ON alembic_version TO planhub_owner")
        holder.commit()
        holder.execute("LOCK TABLE alembic_version")
        with pytest.raises(Exception, match="lock timeout"):
            migrate.upgrade(empty_copy.admin)


def test_the_hubs_login_can_neither_log_in_as_the_owner_nor_become_it(worker_copy):
    with psycopg.connect(libpq_url(worker_copy.admin)) as admin:
        row = admin.execute(
            "SELECT rolcanlogin, rolbypassrls, rolsuper, pg_has_role('planhub_app', 'planhub_owner', 'MEMBER') "
            "FROM pg_roles WHERE rolname = 'planhub_owner'"
        ).fetchone()
    assert row == (False, False, False, False)


names = (f"planhub_test_{os.getpid()}_{number}" for number in itertools.count())


@pytest.fixture
def external():
    """A new database on the PostgreSQL that PLANHUB_TEST_DATABASE_URL names; dropped at the end."""
    url = os.environ["PLANHUB_TEST_DATABASE_URL"]
    name = next(names)
    with psycopg.connect(libpq_url(url), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        yield libpq_url(url, database=name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


needs_postgres = pytest.mark.skipif(
    "PLANHUB_TEST_DATABASE_URL" not in os.environ,
    reason="needs a PostgreSQL 15 of one's own: name a superuser's address in PLANHUB_TEST_DATABASE_URL",
)


@pytest.mark.topology
@pytest.mark.needs("PLANHUB_TEST_DATABASE_URL")
@needs_postgres
def test_the_oldest_postgresql_gets_the_same_schema_and_the_same_access(external):
    migrate.upgrade(external)
    migrate.check(external)
    assert shape_of(external) == (GOLDEN / "access.txt").read_text()


@pytest.mark.topology
@pytest.mark.needs("PLANHUB_TEST_DATABASE_URL")
@needs_postgres
def test_the_oldest_postgresql_releases_and_refuses_alike(external, keystore, tmp_path):
    migrate.upgrade(external)
    login = make_url(external).set(username=migrate.APP, password=f"{uuid4()}")
    with psycopg.connect(libpq_url(external), autocommit=True) as admin:
        admin.execute(f"ALTER ROLE {migrate.APP} PASSWORD '{login.password}'".encode())
    database = open_database(login.render_as_string(hide_password=False))
    try:
        hub = a_hub(database, keystore, tmp_path)
        family, school, clinic = Family(hub), add_agency(hub), add_agency(hub)
        family.states(school, Category.SCHOOL, Category.HEALTH)
        held_back(hub, family.request(clinic))
        family.permits(clinic)
        assert let_out(hub, family.request(clinic, Category.SCHOOL, Category.HEALTH)).categories == {
            Category.SCHOOL
        }
    finally:
        database.close()
