"""What applying a community file would change, and applying it in one transaction."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from gateway.store import configuration

Rows = dict[str, dict[str, dict[str, Any]]]
"""Table → key → columns."""


class ChangeKind(StrEnum):
    """What applying does to one row."""

    ADD = "add"
    CHANGE = "change"
    RETIRE = "retire"


class Change(BaseModel):
    """One row that differs: `fields` names what changes, never a secret (there are none in the file)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ChangeKind
    table: str
    key: str
    fields: tuple[str, ...] = ()
    columns: dict[str, Any] = {}


def changes(wanted: Rows, present: Rows) -> tuple[Change, ...]:
    """What applying would do, in the order it would be done; empty when the file is already in force."""
    found: list[Change] = []
    for table in configuration.KEYS:
        for key, columns in wanted[table].items():
            old = present[table].get(key)
            if old is None:
                found.append(Change(kind=ChangeKind.ADD, table=table, key=key, columns=columns))
            elif differing := tuple(name for name, value in columns.items() if old[name] != value):
                found.append(
                    Change(kind=ChangeKind.CHANGE, table=table, key=key, fields=differing, columns=columns)
                )
    for table in reversed(configuration.KEYS):
        found += [
            Change(kind=ChangeKind.RETIRE, table=table, key=key)
            for key, old in present[table].items()
            if key not in wanted[table] and old["status"] != configuration.out_of_use(table)
        ]
    return tuple(found)


def apply_changes(conn: Connection, found: tuple[Change, ...], present: Rows) -> None:
    """Write the changes in the caller's transaction; every agency whose agreements change gets a new epoch."""
    touched: set[str] = set()
    for change in found:
        if change.kind is ChangeKind.RETIRE:
            configuration.retire(conn, change.table, change.key)
        else:
            configuration.write(conn, change.table, change.key, change.columns)
        if change.table == "agreement":
            touched.add(change.columns.get("org") or present["agreement"][change.key]["org"])
        elif change.table == "org":
            touched.add(change.key)
    for org in sorted(touched):
        configuration.bump_agreement_epoch(conn, org)
