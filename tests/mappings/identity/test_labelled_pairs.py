"""3,162 pairs of child records judged by people: what they say is not the same child is never linked by the rules."""

from collections import Counter, defaultdict
from datetime import datetime

import pytest

from mappings.identity.agree import Grade, agree
from mappings.identity.keys import Features, IdentifierKey, PersonName, tokens
from tests.paths import corpus


def features(line: str) -> Features:
    """One record of the set. Social security numbers are left where they are; the state's own number is the identifier."""
    said = defaultdict(str, (part.partition("=")[::2] for part in line.split(": ", 1)[1].split(",")))
    surname = tokens(" ".join((said["nameLast"], said["nameLastHyph"])))
    born = said["birthDate"]
    return Features(
        names=(
            PersonName(given=tokens(said["nameFirst"]), surname=surname, middle=tokens(said["nameMiddle"])),
        ),
        birth_dates=(datetime.strptime(born, "%Y%m%d").date(),) if len(born) == 8 else (),  # noqa: DTZ007 - a day
        identifiers=(IdentifierKey("medicaid", "state", said["medicaid"]),) if said["medicaid"] else (),
    )


@pytest.mark.corpus
def test_no_pair_that_people_judged_to_be_two_children_is_linked():
    lines = corpus("identity", "AIRA-C.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    judged: Counter[tuple[str, Grade]] = Counter()
    for start in range(0, len(lines) - 3, 4):
        verdict = lines[start + 1].removeprefix("EXPECT: ").strip()
        found = agree(features(lines[start + 2]), features(lines[start + 3]))
        judged[verdict, found.grade] += 1
    assert sum(judged.values()) == 3_162
    assert judged["Not a Match", Grade.CERTAIN] == 0
    assert judged["Match", Grade.CERTAIN] > 0
