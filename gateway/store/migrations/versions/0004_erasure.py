"""Holds that keep a record from being erased, and who asked for and confirmed an erasure."""

from pathlib import Path

import psycopg
from alembic import op

revision = "0004"
down_revision = "0003"

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    driver = op.get_bind().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    for part in ("erasure",):
        driver.execute((SQL / f"0004_{part}.sql").read_bytes())
