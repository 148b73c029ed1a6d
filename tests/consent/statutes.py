"""Law rows of an invented state, for the tests of who signs and what may leave."""

from consent.law import Law, load_law


def row(kind: str, row_id: str, body: str, start: str = "2000-01-01", extra: str = "") -> str:
    return (
        f'[[{kind}]]\nid = "{row_id}"\nsection = "invented § 1"\nevidence = "needs-counsel"\n'
        f"effective_from = {start}\n{body}\n{extra}\n"
    )


MAJORITY = row("majority", "m", 'age = 18\nleap_day = "mar-1"')


def signature(row_id: str, category: str, who: str, age: int | None = None, **more: str) -> str:
    minor = f"\nminor_from_age = {age}" if age is not None else ""
    return row(
        "signature",
        row_id,
        f'category = "{category}"\nwho_signs = "{who}"\nguardian_reads = true{minor}',
        **more,
    )


TABLE = (
    MAJORITY
    + signature("s1", "school", "guardian")
    + signature("s2", "counseling", "minor", 14)
    + signature("s3", "substance-use", "both", 12)
    + signature("s4", "sexual-health", "either", 12)
).encode()

REGIMES = b"""
[[regime]]
id = "p2"
section = "invented"
evidence = "needs-counsel"
effective_from = 2000-01-01
regime = "P2"

[[regime]]
id = "hlth"
section = "invented"
evidence = "needs-counsel"
effective_from = 2000-01-01
regime = "HLTH"
"""


def state_law(*more: str) -> Law:
    law = load_law({"table.toml": TABLE, "regimes.toml": REGIMES, "more.toml": "".join(more).encode()})
    assert isinstance(law, Law), law
    return law
