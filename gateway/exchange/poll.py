"""Polling a connection: everything it can tell since the last time, taken in; then, for a partner that was sent referrals, how
they go.

A poll that fails part of the way keeps what was taken in and starts from the same mark the next time.
"""

from contextlib import closing
from hashlib import sha256

from sqlalchemy import Connection

from adapters.fhir.client import FhirClient
from adapters.fhir.status import TaskSource
from adapters.oauth import BearerClient
from adapters.port import Failure, SourceDocument, Watermark
from gateway.exchange import asked, returns
from gateway.exchange.ahead import read_ahead
from gateway.exchange.community_file import AdapterKind
from gateway.exchange.connect import http_client, option, pull, tokens
from gateway.exchange.context import Hub
from gateway.exchange.feed import Row, read_row
from gateway.exchange.intake import take_in
from gateway.exchange.tally import Tally
from gateway.store import documents
from gateway.store.turns import turn

ASKED = "asked"
"""The resource under which stands for which children a connection was last read."""


def poll(hub: Hub, connection: str, *, may_shrink: bool = False) -> Tally:
    """Pull what changed and take it in. Raises ConnectionMissing, MapMissing, Misconfigured or SecretMissing.

    A connection that another process is asking at this moment is left to it: the tally is empty and not complete.
    """
    with hub.db.transaction() as conn:
        row = read_row(conn, connection)
        documents.note_poll(conn, connection, hub.clock())
    with turn(hub.db, f"poll {connection}") as mine:
        if not mine:
            return Tally()
        if row.adapter is AdapterKind.WORKLIST_FOLDER:
            return returns.pick_up(hub, row, take_in)
        with hub.db.transaction() as conn:
            since = _since(hub, conn, row)
        with closing(read_ahead(pull(hub, row, since))) as told:
            tally = take_in(hub, connection, told, may_shrink=may_shrink)
        if row.adapter is AdapterKind.FHIR:
            _ask_about_referrals(hub, row, tally)
        return tally


def _since(hub: Hub, conn: Connection, row: Row) -> str | None:
    """Where to start. An agency that keeps no roster is read anew once somebody asks it about another child.

    What it said of that child before was not kept, since it concerned nobody here then.
    """
    among = asked.children(conn, row)
    if among is not None:
        now = sha256(b"".join(sorted(child.bytes for child in among))).hexdigest()
        before = documents.read_mark(conn, row.connection, ASKED)
        documents.set_mark(conn, row.connection, now, hub.clock(), ASKED)
        if before != now:
            return None
    return documents.read_mark(conn, row.connection)


def _ask_about_referrals(hub: Hub, row: Row, tally: Tally) -> None:
    """How the referrals sent by this connection go: their Tasks, and the Procedures these name."""
    focus = returns.sent_to(hub, row)
    if not focus:
        return
    with hub.db.transaction() as conn:
        since = documents.read_mark(conn, row.connection, returns.TASKS)
    with http_client(hub, row) as http:
        client = FhirClient(BearerClient(http, tokens(hub, row, http)), str(option(row, "base_url")))
        told = list(TaskSource(client, list(focus)).pull(None if since is None else int(since)))
    brought = [one for one in told if isinstance(one, SourceDocument)]
    procedures = {
        f"{one.resource}/{one.record_id}": dict(one.body) for one in brought if one.resource == "Procedure"
    }
    for one in brought:
        if one.resource == returns.TASKS:
            returns.take_task(hub, row, one, focus, procedures, tally)
    last = told[-1] if told else None
    if isinstance(last, Watermark) and last.since is not None:
        with hub.db.transaction() as conn:
            documents.set_mark(conn, row.connection, str(last.since), hub.clock(), returns.TASKS)
    elif isinstance(last, Failure):
        tally.failure = last
