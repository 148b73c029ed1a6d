"""Many rows at once into tables under row-level security, where COPY FROM is refused: COPY to a staging table, then select.

The staging table is temporary, lives as long as the connection, and empties itself at each commit. It holds what the real
table would: sealed bodies, never a child's words in clear.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql

from gateway.store.copying import copy_rows

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy leaves this constructor untyped


def stage_rows(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """Insert rows in the caller's transaction; how many. At most once per table and transaction.

    Columns that are not named take their default. A row that breaks a constraint fails the whole transaction.
    """
    connection.exec_driver_sql(_definition(table))
    sent = copy_rows(connection, f"pg_temp.{_name(table)}", columns, rows)
    names = ", ".join(columns)
    if sent:
        connection.exec_driver_sql(
            f"INSERT INTO {table.name} ({names}) SELECT {names} FROM pg_temp.{_name(table)}"  # noqa: S608 - our own names
        )
    return sent


def _name(table: Table) -> str:
    return f"stage_{table.name}"


@lru_cache
def _definition(table: Table) -> str:
    """LIKE would need SELECT on every column of the table, bodies included, which the hub's login does not have."""
    columns = ", ".join(f"{column.name} {column.type.compile(_DIALECT)}" for column in table.columns)
    return f"CREATE TEMPORARY TABLE IF NOT EXISTS {_name(table)} ({columns}) ON COMMIT DELETE ROWS"
