"""Pulling from an Ed-Fi host what changed since the last time (`reference/school.md` §1.4, "Sync algorithm").

The newest change version is taken first. Then, in dependency order: changed keys, changed items, and deletions in reverse
order, with a lower bound only. An upper bound would skip what changes during the run; without one it is delivered again
next time, so whoever applies a document must be able to apply it twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from adapters.edfi.catalog import Catalog, fetch_catalog
from adapters.edfi.client import ChangeVersions, EdfiClient, Retries
from adapters.edfi.discovery import discover
from adapters.http import HttpClient
from adapters.oauth import BearerClient, Secret, TokenSource
from adapters.port import Cause, Failure, Operation, Refused, SourceDocument, Transient, Watermark
from adapters.received import Received
from mappings.record.issue import Issue, IssueCode, Severity

Pulled = SourceDocument | Issue | Watermark | Failure


class Notice(StrEnum):
    """The two kinds of notice beside the items themselves, by their place under a resource."""

    KEY_CHANGES = "keyChanges"
    DELETES = "deletes"


_OPERATION = {Notice.KEY_CHANGES: Operation.REKEY, Notice.DELETES: Operation.DELETE}


@dataclass(slots=True)
class EdfiSource:
    """One connection: a host, and the resources this hub is allowed to read from it (`ed-fi/students`, …).

    The allow-list has no "everything": an agency lists what it shares (`reference/school.md` §6, "Over-sharing").
    """

    client: EdfiClient
    resources: Sequence[str]
    catalog: Catalog | None = None
    snapshot: bool = False
    _absent: list[str] = field(default_factory=list)

    def pull(self, since: int | None) -> Iterator[Pulled]:
        """Everything after change version `since`; everything there is, where it is None or the host has forgotten it.

        The last item is a Watermark, or the Failure that stopped the pull. A resource the host does not serve, or whose
        claim set excludes us, is named in the Watermark and does not stop the others.
        """
        self.client.begin(snapshot=self.snapshot)
        self._absent = []
        window = self.client.change_versions()
        if isinstance(window, Failure):
            yield window
            return
        start = _start(since, window)
        if start is not None and window is not None and start == window.newest:
            yield Watermark(start, full=False)
            return
        ordered = self._ordered()
        if isinstance(ordered, Failure):
            yield ordered
            return
        for item in self._everything(ordered, start):
            yield item
            if isinstance(item, Failure):
                return
        newest = None if window is None else window.newest
        yield Watermark(newest, full=start is None, absent=tuple(self._absent))

    def _ordered(self) -> list[str] | Failure:
        """The allow-list in dependency order; what the order does not name comes last."""
        order = self.client.dependencies()
        if isinstance(order, Refused):
            order = []
        if isinstance(order, Failure):
            return order
        place = {name.lower(): number for number, name in enumerate(order)}
        listed = list(dict.fromkeys(self.resources))
        return sorted(listed, key=lambda name: place.get(name.lower(), len(place)))

    def _everything(
        self, ordered: list[str], start: int | None
    ) -> Iterator[SourceDocument | Issue | Failure]:
        served = [name for name in ordered if self._is_served(name)]
        if start is not None:
            for name in served:
                yield from self._notices(name, Notice.KEY_CHANGES, start)
        for name in served:
            yield from self._items(name, start)
        if start is not None:
            for name in reversed(served):
                yield from self._notices(name, Notice.DELETES, start)

    def _is_served(self, name: str) -> bool:
        if self.catalog is None or name in self.catalog.resources:
            return True
        self._absent.append(name)
        return False

    def _items(self, name: str, start: int | None) -> Iterator[SourceDocument | Issue | Failure]:
        for page in self.client.pages(name, since=start):
            if isinstance(page, Failure):
                yield from self._stopped(name, page)
                return
            yield from (_item(name, each) for each in page)

    def _notices(self, name: str, kind: Notice, start: int) -> Iterator[SourceDocument | Issue | Failure]:
        read = self.client.deletes if kind is Notice.DELETES else self.client.key_changes
        for page in read(name, since=start):
            if isinstance(page, Failure):
                yield from self._stopped(f"{name}/{kind.value}", page)
                return
            yield from (_notice(name, kind, each) for each in page)

    def _stopped(self, name: str, failure: Failure) -> Iterator[Failure]:
        """A resource that is not there, or not for us, is noted; anything else ends the pull."""
        if isinstance(failure, Refused) and failure.cause in {Cause.NOT_FOUND, Cause.FORBIDDEN}:
            if failure.cause is Cause.NOT_FOUND and self.client.reads_snapshot:
                yield Transient(Cause.GONE, failure.status)  # the snapshot was removed while we read it
                return
            self._absent.append(name)
            return
        yield failure


def _start(since: int | None, window: ChangeVersions | None) -> int | None:
    """Where to begin; None for a full read: the first time, without change queries, or after the host started anew."""
    if since is None or window is None:
        return None
    forgotten = since + 1 < window.oldest
    restarted = since > window.newest  # restored from a backup, or a new database behind the same address
    return None if forgotten or restarted else since


def _refusal(name: str, text: str) -> Issue:
    return Issue(severity=Severity.ERROR, code=IssueCode.BAD_VALUE, path=name, text=text)


def _item(name: str, received: Received) -> SourceDocument | Issue:
    body = received.value
    if not isinstance(body, dict) or not isinstance(body.get("id"), str):
        return _refusal(
            name, "An item without a resource id was left out. Ask the host's operator to repair it."
        )
    version = body.get("_etag")
    return SourceDocument(
        resource=name,
        record_id=body["id"],
        version=version if isinstance(version, str) else None,
        operation=Operation.UPSERT,
        raw=received.raw,
        body=body,
    )


_NEEDED: Mapping[Notice, tuple[str, ...]] = {
    Notice.KEY_CHANGES: ("oldKeyValues", "newKeyValues"),
    Notice.DELETES: ("keyValues",),
}


def _notice(name: str, kind: Notice, received: Received) -> SourceDocument | Issue:
    body: Any = received.value
    complete = isinstance(body, dict) and isinstance(body.get("id"), str)
    if not complete or not all(isinstance(body.get(member), dict) for member in _NEEDED[kind]):
        return _refusal(
            f"{name}/{kind.value}", "A notice without id or key values was left out. Read the resource anew."
        )
    version = body.get("changeVersion")
    return SourceDocument(
        resource=name,
        record_id=body["id"],
        version=str(version) if type(version) is int else None,
        operation=_OPERATION[kind],
        raw=received.raw,
        body=body,
    )


def connect(
    http: HttpClient,
    base_url: str,
    secret: Secret,
    resources: Sequence[str],
    *,
    trusted: frozenset[str] = frozenset(),
    snapshot: bool = False,
    retries: Retries | None = None,
) -> EdfiSource | Failure:
    """Discover a host and read its catalog. A host that hides its OpenAPI document is still read, without a catalog."""
    discovery = discover(http, base_url, trusted=trusted)
    if isinstance(discovery, Failure):
        return discovery
    catalog = fetch_catalog(http, discovery)
    if isinstance(catalog, Transient):
        return catalog
    bearer = BearerClient(http, TokenSource(http, discovery.oauth, secret))
    client = EdfiClient(bearer, discovery, retries=retries)
    return EdfiSource(client, resources, catalog if isinstance(catalog, Catalog) else None, snapshot)
