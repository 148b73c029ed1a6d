"""Fixtures of the tests that start embedded servers of their own."""

import tempfile
from pathlib import Path

import pytest

from gateway.store.place import forget_home


@pytest.fixture
def home():
    """A home of this test's own. Not tmp_path: as root that one is closed to the servers' account."""
    path = Path(tempfile.mkdtemp(prefix="planhub-test-home-"))
    path.rmdir()
    yield path
    forget_home(path)
