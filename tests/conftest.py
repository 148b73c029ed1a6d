"""The fixtures every test may ask for: the session's PostgreSQL, databases on it, a key store.

One server a session, started by whichever worker asks first; one template migrated once; one copy of it per worker
(`db`), and one per test that says so (`fresh_db`).
"""

import pytest

from gateway.store.embedded import ensure_postgres
from gateway.store.engine import in_transaction, open_database
from gateway.store.keys import open_keystore
from gateway.store.logins import KEYS
from tests import servers


def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        servers.choose_home()


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        servers.clear_home()


@pytest.fixture(scope="session")
def postgres():
    """The session's embedded server; its addresses are in `.urls`."""
    with ensure_postgres(servers.home()) as server:
        yield server


@pytest.fixture(scope="session")
def template(postgres):
    """The name of the migrated template database."""
    return servers.ensure_template(postgres.urls)


@pytest.fixture(scope="session")
def worker_copy(postgres, template):
    """The addresses of this worker's copy: `.admin` for a superuser, `.app` for planhub_app."""
    return servers.copy_of(postgres.urls, template)


@pytest.fixture(scope="session")
def _worker_database(worker_copy):
    database = open_database(worker_copy.app, pool_size=8)
    yield database
    database.close()


@pytest.fixture
def db(_worker_database):
    """This worker's database as planhub_app. What a test commits stays for the worker's next tests: use new ids."""
    yield _worker_database
    assert not in_transaction(), "the test left a transaction open"


@pytest.fixture
def fresh_copy(postgres, template):
    """The addresses of a database of this test's own."""
    copy = servers.copy_of(postgres.urls, template)
    yield copy
    servers.drop(postgres.urls, copy)


@pytest.fixture
def fresh_db(fresh_copy):
    """A migrated database of this test's own as planhub_app."""
    database = open_database(fresh_copy.app, pool_size=8)
    yield database
    database.close()


@pytest.fixture
def empty_copy(postgres):
    """The addresses of an empty database of this test's own, not migrated."""
    copy = servers.copy_of(postgres.urls, None)
    yield copy
    servers.drop(postgres.urls, copy)


@pytest.fixture
def keys_copy(postgres):
    """The addresses of an empty database of this test's own for a key store; `.app` signs in as planhub_keys."""
    copy = servers.copy_of(postgres.urls, None, login=KEYS)
    yield copy
    servers.drop(postgres.urls, copy)


@pytest.fixture(scope="session")
def keystore(postgres, tmp_path_factory):
    """This worker's key store, in a database of its own."""
    copy = servers.copy_of(postgres.urls, None, login=KEYS)
    store = open_keystore(copy.app, tmp_path_factory.mktemp("keys"))
    yield store
    store.close()
