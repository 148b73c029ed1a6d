"""What left through one key, to one partner, of one link, in one span of time: ids, topics and regimes, never a body."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from mappings.record.category import Category
from mappings.record.regime import Regime


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; None where it does not narrow. Half-open span [since, until)."""

    client_id: str | None
    partner: str | None
    source_identity: UUID | None
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Exposure:
    """One child's facts with one recipient: how often, first and last, topics, and the regimes of facts in those topics."""

    child_id: UUID
    recipient: str
    times: int
    first_at: datetime
    last_at: datetime
    categories: frozenset[Category]
    regimes: frozenset[Regime]


_EXPOSED = text("""
    WITH hit AS (
        SELECT d.child_id, d.recipient, d.at, d.release_id, d.categories
        FROM decision d JOIN release r ON r.release_id = d.release_id
        WHERE d.at >= :since AND d.at < :until AND d.outcome <> 'deny' AND d.basis IN ('consent', 'exception', 'own')
            AND (cast(:client AS text) IS NULL OR r.requester = :client)
            AND (cast(:partner AS text) IS NULL OR d.recipient = :partner)
            AND (cast(:identity AS uuid) IS NULL OR EXISTS (
                SELECT FROM identity_link l WHERE l.source_identity_id = :identity AND l.child_id = d.child_id
                    AND l.valid_from <= d.at AND (l.valid_to IS NULL OR d.at < l.valid_to)))
    ), topics AS (
        SELECT DISTINCT h.child_id, h.recipient, topic FROM hit h, unnest(h.categories) AS topic
    )
    SELECT h.child_id, h.recipient, count(DISTINCT h.release_id), min(h.at), max(h.at),
        array(SELECT t.topic FROM topics t WHERE t.child_id = h.child_id AND t.recipient = h.recipient ORDER BY 1),
        array(SELECT DISTINCT regime FROM assertion a, unnest(a.regimes) AS regime
            WHERE a.child_id = h.child_id AND a.received_at < :until AND a.category IN (
                SELECT t.topic FROM topics t WHERE t.child_id = h.child_id AND t.recipient = h.recipient)
            ORDER BY 1)
    FROM hit h GROUP BY h.child_id, h.recipient ORDER BY h.child_id, h.recipient
""")


def exposures(connection: Connection, search: Search) -> list[Exposure]:
    """What was let out, by child and recipient. Attempts at which nothing left are counted too: it errs towards telling."""
    rows = connection.execute(
        _EXPOSED,
        {
            "client": search.client_id,
            "partner": search.partner,
            "identity": search.source_identity,
            "since": search.since,
            "until": search.until,
        },
    )
    return [
        Exposure(
            row[0],
            row[1],
            row[2],
            row[3],
            row[4],
            frozenset(map(Category, row[5])),
            frozenset(map(Regime, row[6])),
        )
        for row in rows
    ]
