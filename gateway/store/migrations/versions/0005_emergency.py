"""What agencies stated in an emergency, and the exception that rests on it."""

from pathlib import Path

import psycopg
from alembic import op

revision = "0005"
down_revision = "0004"

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    driver = op.get_bind().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    for part in ("emergency",):
        driver.execute((SQL / f"0005_{part}.sql").read_bytes())
