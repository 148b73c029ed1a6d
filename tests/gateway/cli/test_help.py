"""Help is at hand at once: what a command works with is loaded when it runs, not before."""

import subprocess
import sys

import pytest

from tests.paths import ROOT

HEAVY = (
    "sqlalchemy",
    "psycopg",
    "alembic",
    "pydantic_settings",
    "fastapi",
    "celery",
    "cryptography",
    "mappings.engine",
)

PROGRAM = """
import sys
from gateway.cli import app
try:
    app(sys.argv[1:], prog_name="planhub")
except SystemExit as end:
    assert end.code == 0, end.code
loaded = sys.modules.keys()
print([name for name in {heavy} if name in loaded], file=sys.stderr)
"""


@pytest.mark.parametrize(
    "words", [(), ("consent",), ("deliveries",), ("map",), ("import",), ("serve",), ("apply",)]
)
def test_help_loads_no_database_and_nothing_else_that_is_slow(words):
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(heavy=HEAVY), *words, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "--help" in ran.stdout
    assert ran.stderr.strip() == "[]"
