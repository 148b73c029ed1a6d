"""The first schema: tables, guards, row-level security, grants."""

from pathlib import Path

import psycopg
from alembic import op

revision = "0001"
down_revision = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    driver = op.get_bind().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    for part in ("tables", "guards", "decisions", "policies", "roles"):
        driver.execute((SQL / f"0001_{part}.sql").read_bytes())
