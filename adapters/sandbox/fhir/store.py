"""Resources and all their versions, in memory (FHIR R4 §3.1: versioned update, history, deleted is not unknown)."""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from adapters.sandbox.fhir.outcome import Resource, gone, precondition, unknown

Key = tuple[str, str]
TICK = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a resource; `resource` is None where this is its deletion."""

    number: int
    at: datetime
    method: str
    resource: Resource | None


class Store:
    """The current and past states. Not safe for threads by itself: the sandbox holds one lock around each request."""

    def __init__(self) -> None:
        self._versions: dict[Key, tuple[Version, ...]] = {}
        self._named = 0
        self._last = datetime(1970, 1, 1, tzinfo=UTC)

    def create(self, resource: Resource) -> Resource:
        """Store under an id of the server's choosing."""
        kind = resource["resourceType"]
        return self._append((kind, self.reserve(kind)), resource, "POST")

    def reserve(self, kind: str) -> str:
        """An id that nothing of this type has or had."""
        self._named += 1
        while (kind, str(self._named)) in self._versions:
            self._named += 1
        return str(self._named)

    def update(
        self, kind: str, name: str, resource: Resource, match: str | None = None, method: str = "PUT"
    ) -> Resource:
        """Store the next version. `match` is the version number the client has seen; RefusedError 412."""
        current = self.current(kind, name)
        if match is not None and (current is None or current["meta"]["versionId"] != match):
            now = current["meta"]["versionId"] if current else "none"
            raise precondition(
                f"{kind}/{name} is at version {now}, not {match}. Read it again and repeat the change."
            )
        return self._append((kind, name), resource, method)

    def delete(self, kind: str, name: str) -> None:
        """Delete; nothing happens where nothing is."""
        if self.current(kind, name) is not None:
            self._append((kind, name), None, "DELETE")

    def current(self, kind: str, name: str) -> Resource | None:
        """The present state; None where it is unknown or deleted."""
        versions = self._versions.get((kind, name))
        return versions[-1].resource if versions else None

    def exists(self, kind: str, name: str) -> bool:
        """Whether it is there now."""
        return self.current(kind, name) is not None

    def read(self, kind: str, name: str, version: str | None = None) -> Resource:
        """The present state or a past one; RefusedError 404 or 410."""
        versions = self.versions(kind, name)
        if version is None:
            found = versions[-1]
        else:
            at = [one for one in versions if str(one.number) == version]
            if not at:
                raise unknown(kind, f"{name}/_history/{version}")
            found = at[0]
        if found.resource is None:
            raise gone(kind, name)
        return found.resource

    def versions(self, kind: str, name: str) -> tuple[Version, ...]:
        """All states, oldest first; RefusedError 404."""
        if (kind, name) not in self._versions:
            raise unknown(kind, name)
        return self._versions[kind, name]

    def all(self, kind: str) -> Iterator[Resource]:
        """What is there now of one type, in order of creation."""
        for (found, _name), versions in self._versions.items():
            resource = versions[-1].resource
            if found == kind and resource is not None:
                yield resource

    def load(self, resources: Iterable[Resource]) -> None:
        """Store resources under their own ids, without asking whether a client might."""
        for resource in resources:
            if "id" in resource:
                self._append((resource["resourceType"], resource["id"]), resource, "PUT")
            else:
                self.create(resource)

    def mark(self) -> dict[Key, tuple[Version, ...]]:
        """The state to return to if a transaction fails."""
        return dict(self._versions)

    def restore(self, mark: dict[Key, tuple[Version, ...]]) -> None:
        """Undo everything since the mark."""
        self._versions = mark

    def _append(self, key: Key, resource: Resource | None, method: str) -> Resource:
        self._last = max(datetime.now(UTC), self._last + TICK)
        earlier = self._versions.get(key, ())
        number = len(earlier) + 1
        stored = None
        if resource is not None:
            kept = deepcopy({name: value for name, value in resource.items() if name not in {"id", "meta"}})
            meta = {**resource.get("meta", {}), "versionId": str(number), "lastUpdated": instant(self._last)}
            stored = {"resourceType": key[0], "id": key[1], "meta": meta, **kept}
        self._versions[key] = (*earlier, Version(number, self._last, method, stored))
        return stored or {}


def instant(moment: datetime) -> str:
    """A FHIR instant in UTC, to the millisecond."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
