"""Every test the threat model leans on exists."""

import re

import pytest

from tests.paths import ROOT

NAMED = sorted(set(re.findall(r"`(test_[a-z0-9_]+)`", (ROOT / "deploy" / "threat-model.md").read_text())))
THERE = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
}


@pytest.mark.parametrize("name", NAMED)
def test_a_proof_named_in_the_threat_model_is_a_test(name):
    assert name in THERE
