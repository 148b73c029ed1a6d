"""COPY: many rows at once, written in its text format here, since psycopg adapts them value by value at twice the cost."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.abc import Transformer as Adapting
from psycopg.adapt import PyFormat, Transformer
from sqlalchemy import Connection

_ROWS = 100
"""Rows of one message to the server: some tens of kilobytes."""

_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPED = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}


def copy_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """COPY rows into a table inside the caller's transaction; the number of rows sent.

    Values are adapted as psycopg adapts them (uuid, datetime, bytes, str, int, None; wrap JSON in
    `psycopg.types.json.Jsonb`). COPY FROM does not work on a table under row-level security: copy to a staging table and
    INSERT … SELECT from it.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    sent, rest = 0, iter(rows)
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        writers = _Writers(Transformer(driver))
        while chunk := list(islice(rest, _ROWS)):
            copy.write(
                "".join(
                    ["\t".join([writers[value.__class__](value) for value in row]) + "\n" for row in chunk]
                )
            )
            sent += len(chunk)
    return sent


class _Writers(dict[type, Callable[[Any], str]]):
    """How values of a type are written; those without a way of their own are left to psycopg."""

    def __init__(self, transformer: Adapting) -> None:
        super().__init__(_WRITERS)
        self._transformer = transformer

    def __missing__(self, kind: type) -> Callable[[Any], str]:
        self[kind] = self._adapted
        return self._adapted

    def _adapted(self, value: object) -> str:
        dumped = self._transformer.get_dumper(value, PyFormat.TEXT).dump(value)
        return r"\N" if dumped is None else _escaped(bytes(dumped).decode())


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: _ESCAPED[found[0]], text)


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: lru_cache(maxsize=1_024)(_escaped),  # what is in clear is codes
    UUID: lambda value: value.hex,
    bytes: lambda value: r"\\x" + value.hex(),
    datetime: lru_cache(maxsize=64)(datetime.isoformat),
    type(None): lambda _: r"\N",
}
