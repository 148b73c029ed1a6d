"""A connection as intake sees it: whose it is, what it may say, and the map of each of its resources."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from gateway.exchange.community_file import AdapterKind
from gateway.store import maps
from gateway.store.maps import MapName
from gateway.store.pipeline import Answer, Batch, batch
from gateway.store.tables import org as org_table
from mappings.engine.compiled import CompiledMap
from mappings.identity.keys import system_key
from mappings.record.category import Category
from mappings.record.regime import Regime


@dataclass(frozen=True, slots=True)
class Join:
    """A resource that is read into another before that is mapped: a guardian's record into what ties them to a child.

    `companion` documents are known by their `key`; `into` documents name one at `by` and get it as `member`. One that
    is `needed` and not there refuses the document that names it. `of_child` companions speak of a person around the
    child and are kept once for each child, with the child's key; the others are the agency's own and speak of no child.
    """

    companion: str
    key: str
    into: str
    by: tuple[str, ...]
    member: str
    needed: bool
    of_child: bool


JOINS: Mapping[str, tuple[Join, ...]] = {
    "edfi": (
        Join(
            "contacts",
            "contactUniqueId",
            "studentContactAssociations",
            ("contactReference", "contactUniqueId"),
            "contact",
            needed=True,
            of_child=True,
        ),
        Join(
            "staffs",
            "staffUniqueId",
            "staffEducationOrganizationAssignmentAssociations",
            ("staffReference", "staffUniqueId"),
            "staff",
            needed=True,
            of_child=False,
        ),
        Join(
            "schools",
            "schoolId",
            "studentSchoolAssociations",
            ("schoolReference", "schoolId"),
            "school",
            needed=False,
            of_child=False,
        ),
    ),
}

FOLDER: Mapping[AdapterKind, str] = {
    AdapterKind.EDFI: "edfi",
    AdapterKind.ONEROSTER_CSV: "oneroster",
    AdapterKind.FHIR: "fhir",
    AdapterKind.WORKLIST_FOLDER: "community",
    AdapterKind.PLAN_SHEET: "community",
    AdapterKind.WEBHOOK: "webhook",
    AdapterKind.API: "api",
}
"""Where the maps of an adapter's documents stand, and so the first part of their `source`."""

SHEETS = frozenset({AdapterKind.PLAN_SHEET, AdapterKind.WORKLIST_FOLDER})
"""Adapters whose documents are rows somebody typed."""

ROSTERS = frozenset({AdapterKind.EDFI, AdapterKind.ONEROSTER_CSV})
"""Adapters that say who exists, where their agency has that authority; a sheet never does."""


class MapMissing(Exception):  # noqa: N818 - reads as what happened
    """A connection names a map version that is not approved here. The text names it and the next step."""


class ConnectionMissing(Exception):  # noqa: N818 - reads as what happened
    """No active connection of that name; `planhub apply` makes one."""


@dataclass(frozen=True, slots=True)
class Row:
    """A connection and its agency."""

    connection: str
    org: str
    adapter: AdapterKind
    config: Mapping[str, Any] = field(repr=False)
    maps: Mapping[str, str]
    regimes: frozenset[Regime]
    programme: Category
    authority: bool

    @property
    def of_record(self) -> bool:
        """Whether what it says of who a child is stands as a fact; a sheet's name and number only find the child."""
        return self.adapter not in SHEETS

    @property
    def roster(self) -> bool:
        """Whether what it brings says who exists: its agency may, and this kind of feed is a roster."""
        return self.authority and self.adapter in ROSTERS


@dataclass(frozen=True, slots=True)
class Feed:
    """A connection with its inbound maps compiled, by resource."""

    row: Row
    maps: Mapping[str, CompiledMap]
    joins: tuple[Join, ...]
    agencies: Mapping[str, str] = field(default_factory=dict)  # key by folded name

    def companion(self, resource: str) -> Join | None:
        """The join this resource's documents are read into, if any."""
        return next((join for join in self.joins if join.companion == resource), None)

    def joined(self, resource: str) -> tuple[Join, ...]:
        """The joins that complete this resource's documents."""
        return tuple(join for join in self.joins if join.into == resource)


_ROW = """
    SELECT c.connection, c.org, c.adapter, c.config, c.maps, o.regimes, o.programme_category, o.roster_authority
    FROM connection c JOIN org o ON o.org = c.org
    WHERE c.connection = %(connection)s AND c.status = 'active' AND o.status = 'active'
"""


def read_row(connection: Connection, name: str) -> Row:
    """An active connection; raises ConnectionMissing."""
    with batch(connection) as statements:
        return row_of(ask_row(statements, name), name)


def ask_row(statements: Batch, name: str) -> Answer:
    """As `read_row`, asked for now and read later with `row_of`."""
    return statements.send(_ROW, {"connection": name})


def row_of(answer: Answer, name: str) -> Row:
    """The connection that was asked for; raises ConnectionMissing."""
    found = answer.fetchone()
    if found is None:
        raise ConnectionMissing(f"no active connection is called {name}; planhub apply shows which there are")
    key, org, adapter, config, chosen, regimes, programme, authority = found
    return Row(
        key,
        org,
        AdapterKind(adapter),
        config,
        chosen,
        frozenset(Regime(regime) for regime in regimes),
        Category(programme),
        authority == "yes",
    )


def read_feed(connection: Connection, name: str) -> Feed:
    """A connection ready for intake.

    Its maps are those it names, by resource; where it names none, the ones in use for its adapter. Raises
    ConnectionMissing, or MapMissing for a map that is named and not here.
    """
    row = read_row(connection, name)
    folder = FOLDER[row.adapter]
    compiled = [
        one for one in maps_of(connection, row) if one.document.inbound and one.document.source == folder
    ]
    found = {one.document.resource: one for one in compiled}
    joins = tuple(join for join in JOINS.get(folder, ()) if join.into in found)
    names = connection.execute(select(org_table.c.name, org_table.c.org)).all()
    return Feed(row, found, joins, {system_key(one.name): one.org for one in names})


def maps_of(connection: Connection, row: Row) -> list[CompiledMap]:
    """The maps a connection names or, where it names none, those in use for its adapter. Raises MapMissing."""
    if not may_have_maps(row):
        return []
    approved = maps.hashes(connection)
    latest = {name.map: name for name in approved}
    named = [maps.parse_name(text) for text in row.maps.values()]
    wanted = [name if name.version else latest.get(name.map, name) for name in named]
    return [
        _compile(connection, name, approved.get(name))
        for name in wanted or _by_default(FOLDER[row.adapter], latest)
    ]


_DEFAULT_PREFIX: Mapping[str, tuple[str, ...]] = {
    "edfi": ("planhub/edfi-",),
    "oneroster": ("planhub/oneroster-",),
    "fhir": ("planhub/fhir-",),
    "community": ("planhub/worklist", "planhub/plan-sheet"),
    "webhook": (),
    "api": (),
}


def may_have_maps(row: Row) -> bool:
    """Whether any map can be meant for this connection: it names one, or there are some for its kind of system."""
    return bool(row.maps or _DEFAULT_PREFIX[FOLDER[row.adapter]])


def _by_default(folder: str, latest: Mapping[str, MapName]) -> list[MapName]:
    """The shipped maps for a kind of system: a community's own are used only where a connection names them."""
    return [name for key, name in latest.items() if key.startswith(_DEFAULT_PREFIX[folder])]


def _compile(connection: Connection, name: MapName, content_hash: bytes | None) -> CompiledMap:
    """An approved map version, compiled; each content is compiled once in a process."""
    if content_hash is not None and content_hash in _compiled:
        return _compiled[content_hash]
    loaded = None if content_hash is None else maps.load(connection, name)
    if content_hash is None or loaded is None:
        raise MapMissing(
            f"map {name.map} {name.version} is not approved here; planhub map publish and approve it, or name another"
        )
    compilation = loaded[0].compile()
    if compilation.map is None:  # it compiled when it was published: the engine has changed since
        faults = "; ".join(str(error) for error in compilation.errors[:3])
        raise MapMissing(f"map {name.map} {name.version} does not compile with this release: {faults}")
    _compiled[content_hash] = compilation.map
    return compilation.map


_compiled: dict[bytes, CompiledMap] = {}
"""By content hash; a process meets a few dozen."""


def short(resource: str) -> str:
    """A resource without its schema: `ed-fi/students` is `students`."""
    return resource.rpartition("/")[2]
