"""The community's configuration as rows: read the whole of it, write one row, retire one row.

A row that is left out of the community file is retired, never deleted: deliveries and disclosures still name it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects.postgresql import insert

from consent.agreement import AgreementStatus
from consent.law import DEFAULT
from gateway.store import tables

KEYS: dict[str, str] = {
    "community": "community",
    "org": "org",
    "agreement": "agreement",
    "connection": "connection",
    "subscription": "subscription",
    "api_client": "client_id",
}
"""The configured tables in the order they are written (what is named before what names it) and each one's key."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the community is: `zone` says when a day and a birthday begin, `jurisdiction` which law rows hold."""

    zone: tzinfo = UTC
    jurisdiction: str = DEFAULT


def read_place(conn: Connection) -> Place:
    """Where the community is, by the file that was applied last; before the first one UTC and the default law.

    Raises ValueError where this machine does not know the zone.
    """
    table = tables.community
    row = conn.execute(
        select(table.c.timezone, table.c.jurisdiction).where(table.c.status == "active")
    ).first()
    if row is None:
        return Place()
    try:
        return Place(ZoneInfo(row.timezone), row.jurisdiction)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(
            f"zone {row.timezone} is not known on this machine; install its time zone data"
        ) from None


def out_of_use(name: str) -> str:
    """The status that says a row is no longer in use."""
    return AgreementStatus.ENDED.value if name == "agreement" else "retired"


def _table(name: str) -> Table:
    return tables.metadata.tables[name]


def read_all(conn: Connection) -> dict[str, dict[str, dict[str, Any]]]:
    """Every configured row: table → key → columns without the key."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, key in KEYS.items():
        rows = conn.execute(select(_table(name))).mappings()
        found[name] = {row[key]: {c: v for c, v in row.items() if c != key} for row in rows}
    return found


def write(conn: Connection, name: str, key: str, columns: Mapping[str, Any]) -> None:
    """Insert the row or replace its columns."""
    table = _table(name)
    statement = insert(table).values({KEYS[name]: key, **columns})
    conn.execute(statement.on_conflict_do_update(index_elements=[KEYS[name]], set_=dict(columns)))


def retire(conn: Connection, name: str, key: str) -> None:
    """Mark a row as no longer in use."""
    table = _table(name)
    conn.execute(table.update().where(table.c[KEYS[name]] == key).values(status=out_of_use(name)))


def bump_agreement_epoch(conn: Connection, org: str) -> None:
    """Take the agency's agreement epoch FOR UPDATE and raise it: every live decision for it ends here."""
    epoch = tables.agreement_epoch
    conn.execute(insert(epoch).values(org=org, epoch=0).on_conflict_do_nothing())
    conn.execute(select(epoch.c.epoch).where(epoch.c.org == org).with_for_update())
    conn.execute(epoch.update().where(epoch.c.org == org).values(epoch=epoch.c.epoch + 1))
