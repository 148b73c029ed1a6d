"""Reading from a FHIR server what changed of the searches a connection is allowed (`reference/health.md` §1.4, polling).

The mark is the newest `meta.lastUpdated` by the server's clock, in milliseconds since 1970. Each pull looks back a little
further, since a server may show a change later than it dates it: whoever applies a document must be able to do so twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from adapters.fhir.client import FhirClient
from adapters.port import Cause, Failure, Refused, SourceDocument, Watermark
from mappings.record.issue import Issue, IssueCode, Severity

LOOK_BACK = timedelta(minutes=2)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def since_parameter(since: int | None) -> dict[str, str]:
    """`_lastUpdated` for a mark; empty for none."""
    if since is None:
        return {}
    moment = _EPOCH + timedelta(milliseconds=since) - LOOK_BACK
    return {"_lastUpdated": f"ge{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"}


def later(newest: int | None, document: SourceDocument) -> int | None:
    """The mark after a document: the later of the two; unchanged where the document tells no time."""
    meta = document.body.get("meta")
    word = meta.get("lastUpdated") if isinstance(meta, dict) else None
    try:
        moment = datetime.fromisoformat(word) if isinstance(word, str) else None
    except ValueError:
        return newest
    if moment is None or moment.tzinfo is None:
        return newest
    at = (moment - _EPOCH) // timedelta(milliseconds=1)
    return at if newest is None else max(newest, at)


def usable(client: FhirClient) -> Failure | None:
    """Why a server cannot be read, if so: it does not answer, or does not speak R4."""
    capability = client.capability()
    if isinstance(capability, Failure):
        return capability
    return None if capability.is_r4 else Refused(Cause.UNSUPPORTED)


@dataclass(frozen=True, slots=True)
class FhirSource:
    """One connection: the searches this hub may make, by type (`("Condition", {"category": "…"})`).

    A type that is not searched for is never read: what a server sends besides is named and dropped.
    """

    client: FhirClient
    searches: Sequence[tuple[str, Mapping[str, str]]]

    def pull(self, since: int | None) -> Iterator[SourceDocument | Issue | Watermark | Failure]:
        """What changed since the mark; then a Watermark, or the Failure that ended it. Deletions do not show."""
        failure = usable(self.client)
        if failure is not None:
            yield failure
            return
        allowed = {kind for kind, _ in self.searches}
        newest = since
        absent: list[str] = []
        for kind, params in self.searches:
            for item in self.client.search(kind, {**params, **since_parameter(since)}):
                if isinstance(item, Refused) and item.cause in {Cause.NOT_FOUND, Cause.FORBIDDEN}:
                    absent.append(kind)
                elif isinstance(item, Failure):
                    yield item
                    return
                elif item.resource in allowed:
                    newest = later(newest, item)
                    yield item
                else:
                    text = "The server sent a resource of a type nobody asked for; it was not read."
                    yield Issue(severity=Severity.INFORMATION, code=IssueCode.NOT_OURS, path=kind, text=text)
        yield Watermark(newest, full=False, absent=tuple(absent))
