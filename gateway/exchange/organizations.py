"""The community's organisations as outbound formats may name them; read again every few seconds, since they hardly change."""

import time
from functools import lru_cache

from sqlalchemy import Connection, select

from gateway.exchange.context import Hub
from gateway.store.engine import Database
from gateway.store.tables import org
from mappings.organization import Organization, Organizations
from mappings.record.category import Category

HUB_NAME = "Planhub"
KEPT_S = 10


def read_organizations(conn: Connection) -> Organizations:
    """All of them, as they stand now."""
    rows = conn.execute(select(org.c.org, org.c.name, org.c.programme_category))
    return Organizations(HUB_NAME, {row[0]: Organization(row[0], row[1], Category(row[2])) for row in rows})


def organizations(hub: Hub) -> Organizations:
    """All of them, as they stood at most ten seconds ago. Opens a transaction of its own when it has to read."""
    return _kept(hub.db, int(time.monotonic()) // KEPT_S)


@lru_cache(maxsize=8)
def _kept(db: Database, _span: int) -> Organizations:
    with db.transaction() as conn:
        return read_organizations(conn)
