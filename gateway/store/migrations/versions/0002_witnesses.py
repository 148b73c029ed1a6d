"""What witnesses said about the log, and why it is halted where it is."""

from pathlib import Path

import psycopg
from alembic import op

revision = "0002"
down_revision = "0001"

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    driver = op.get_bind().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    for part in ("witnesses",):
        driver.execute((SQL / f"0002_{part}.sql").read_bytes())
