"""What families are asked, and what is to be told to whom."""

from pathlib import Path

import psycopg
from alembic import op

revision = "0003"
down_revision = "0002"

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    driver = op.get_bind().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    for part in ("asks",):
        driver.execute((SQL / f"0003_{part}.sql").read_bytes())
