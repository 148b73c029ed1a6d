"""A paper form typed in at the desk, for tests of what comes before and after it."""

from datetime import timedelta
from pathlib import Path

from tests.gateway.cli.conftest import Planhub, Ran
from tests.gateway.family import Family, now

UNTIL = (now() + timedelta(days=60)).date().isoformat()
NOTICE = "family-form@3"


def paper(
    planhub: Planhub, family: Family, agency: str, scan: Path, *more: object, topic: str = "school"
) -> Ran:
    """Record a form of the family's for an agency; `more` are further words of the command."""
    return planhub(
        "consent", "record-paper", "--child", family.child, "--guardian", family.link, "--agency", agency,
        "--topic", topic, "--purpose", "COC", "--until", UNTIL, "--form", scan, "--notice", NOTICE, "--by", "Ines Vale",
        *more,
    )  # fmt: skip
