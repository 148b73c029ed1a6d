"""Map versions: the only source of maps at run time, so that an upgrade never loses one a replay needs (ARCHITECTURE §5).

A version's content never changes. One person publishes, another approves; what is in use is the version that was approved
last, so rolling back is publishing and approving the old one again. A version that was approved once stays fit for use while
it waits to be approved again: publishing alone changes nothing that runs.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select, update
from sqlalchemy.dialects.postgresql import insert

from gateway.store.tables import map_version
from mappings.engine.compiled import CompiledMap
from mappings.engine.shipped import MapFiles


class MapState(StrEnum):
    """Whether a version may be used."""

    PUBLISHED = "published"  # waits for a second person
    APPROVED = "approved"


class MapRefusal(StrEnum):
    """Why a version was not published or approved."""

    OTHER_CONTENT = "other-content"  # this version exists with other content: give it a new number
    NOT_PUBLISHED = "not-published"
    SAME_PERSON = "same-person"  # whoever published cannot approve


@dataclass(frozen=True, slots=True)
class MapName:
    """A map and its version: `planhub/edfi-student` and `1.0.0`."""

    map: str
    version: str


def parse_name(text: str) -> MapName:
    """`planhub/edfi-student@1.0.0`; without a version it is empty, which means the one in use."""
    name, _, version = text.partition("@")
    return MapName(name, version)


_APPROVED_ONCE = map_version.c.position > 0
"""A version takes its place when it is approved, and a later one when it is approved again."""


def _where(name: MapName) -> Any:
    return (map_version.c.map == name.map) & (map_version.c.version == name.version)


def _values(files: MapFiles, compiled: CompiledMap, by: str, at: datetime) -> dict[str, Any]:
    return {
        "map": compiled.id,
        "version": compiled.version,
        "content_hash": bytes.fromhex(compiled.content_hash),
        "files": {
            name: dict(part) if isinstance(part, dict) else part for name, part in asdict(files).items()
        },
        "owner": compiled.document.owner,
        "published_by": by,
        "at": at,
    }


def _next_position() -> Any:
    return select(func.coalesce(func.max(map_version.c.position), 0) + 1).scalar_subquery()


def record_shipped(
    connection: Connection, maps: Iterable[tuple[MapFiles, CompiledMap]], at: datetime
) -> tuple[MapName, ...]:
    """Record every shipped map this database does not have; those whose version is here with other content.

    A release that changes a map without raising its version is told so and changes nothing.
    """
    changed: list[MapName] = []
    for files, compiled in maps:
        values = _values(files, compiled, "release", at)
        values |= {"state": MapState.APPROVED, "approved_by": "release", "position": _next_position()}
        connection.execute(insert(map_version).values(**values).on_conflict_do_nothing())
        name = MapName(compiled.id, compiled.version)
        here = connection.execute(select(map_version.c.content_hash).where(_where(name))).scalar_one()
        if bytes(here) != values["content_hash"]:
            changed.append(name)
    return tuple(changed)


def publish(
    connection: Connection,
    files: MapFiles,
    compiled: CompiledMap,
    by: str,
    at: datetime,
    note: str | None = None,
) -> MapRefusal | None:
    """Put a version forward; None where it now waits for approval. Publishing an old version again rolls back to it."""
    values = _values(files, compiled, by, at) | {
        "state": MapState.PUBLISHED,
        "note": note,
    }
    statement = insert(map_version).values(**values)
    again = {name: values[name] for name in ("published_by", "state", "note", "at")}
    done = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["map", "version"],
            set_=again,
            where=map_version.c.content_hash == values["content_hash"],
        ).returning(map_version.c.map)
    )
    return MapRefusal.OTHER_CONTENT if done.first() is None else None


def approve(connection: Connection, name: MapName, by: str, at: datetime) -> MapRefusal | None:
    """Take a published version into use; None where it now is. Whoever published it cannot."""
    row = connection.execute(
        select(map_version.c.state, map_version.c.published_by).where(_where(name)).with_for_update()
    ).first()
    if row is None or row.state != MapState.PUBLISHED:
        return MapRefusal.NOT_PUBLISHED
    if row.published_by == by:
        return MapRefusal.SAME_PERSON
    connection.execute(
        update(map_version)
        .where(_where(name))
        .values(state=MapState.APPROVED, approved_by=by, at=at, position=_next_position())
    )
    return None


def in_use(connection: Connection) -> dict[str, MapName]:
    """The version in use of every map: the one that was approved last."""
    rows = connection.execute(
        select(map_version.c.map, map_version.c.version)
        .where(_APPROVED_ONCE)
        .order_by(map_version.c.position)
    )
    return {row.map: MapName(row.map, row.version) for row in rows}


def hashes(connection: Connection) -> dict[MapName, bytes]:
    """The content hash of every approved version, in the order they were approved."""
    rows = connection.execute(
        select(map_version.c.map, map_version.c.version, map_version.c.content_hash)
        .where(_APPROVED_ONCE)
        .order_by(map_version.c.position)
    )
    return {MapName(row.map, row.version): bytes(row.content_hash) for row in rows}


def load(connection: Connection, name: MapName) -> tuple[MapFiles, bytes] | None:
    """The files of an approved version and its content hash; of the one in use where no version is named."""
    statement = select(map_version.c.files, map_version.c.content_hash).where(
        map_version.c.map == name.map, _APPROVED_ONCE
    )
    if name.version:
        statement = statement.where(map_version.c.version == name.version)
    row = connection.execute(statement.order_by(map_version.c.position.desc()).limit(1)).first()
    return None if row is None else (MapFiles(**row.files), bytes(row.content_hash))


def list_versions(connection: Connection, map_id: str | None = None) -> list[RowMapping]:
    """Every version with who published and approved it, without its files."""
    columns = [column for column in map_version.c if column.name != "files"]
    statement = select(*columns).order_by(map_version.c.map, map_version.c.position.desc())
    if map_id is not None:
        statement = statement.where(map_version.c.map == map_id)
    return list(connection.execute(statement).mappings())
