"""The settings reference is the code's own."""

from gateway.settings_reference import reference
from tests.paths import ROOT


def test_the_committed_reference_equals_the_generated_one():
    assert (ROOT / "deploy" / "settings.md").read_text() == reference()
