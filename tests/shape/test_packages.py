"""Our four names on the import path are ours alone, and the locks say nothing of where packages come from."""

import importlib.metadata
import re

import pytest

from tests.paths import ROOT

OURS = {"adapters", "consent", "gateway", "mappings"}


def test_no_dependency_provides_our_package_names():
    provided = importlib.metadata.packages_distributions()
    assert not {
        name: provided[name] for name in OURS & provided.keys() if provided[name] != ["success-plan-hub"]
    }


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_pins_and_hashes_everything_and_holds_no_address(lock):
    text = (ROOT / lock).read_text()
    assert "://" not in text
    pins = re.findall(r"^([a-z0-9.\[\]-]+)==", text, re.MULTILINE)
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
    hashed = [block for block in blocks if "--hash=sha256:" in block]
    assert len(pins) == len(hashed) > 0
