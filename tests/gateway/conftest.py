"""A hub and a family on the worker's database, or on one of the test's own where it looks at the whole ledger."""

import pytest

from tests.gateway.family import Family, a_hub


@pytest.fixture
def hub(db, keystore, tmp_path):
    """A hub on the database this worker's tests share: use new agencies and children."""
    return a_hub(db, keystore, tmp_path)


@pytest.fixture
def fresh_hub(fresh_db, keystore, tmp_path):
    """A hub on a database of this test's own, with an empty ledger."""
    return a_hub(fresh_db, keystore, tmp_path)


@pytest.fixture
def family(hub):
    """One child with one guardian."""
    return Family(hub)
