"""Reading an Ed-Fi host: one session with a token and a bounded number of repetitions, over announced addresses only.

Paging (`reference/school.md` §1.4): by cursor where the host sends `Next-Page-Token` (ODS/API 7.3, v8), whose end is
the empty page; else by offset, also until an empty page, since hosts clamp the limit without saying so.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urljoin

from adapters.edfi.discovery import Discovery
from adapters.edfi.problem import codes_of
from adapters.http import Reply, failure_of
from adapters.oauth import BearerClient
from adapters.port import Cause, Failure, Malformed, Refused, Transient
from adapters.received import Received, parse_json, split_array
from mappings.record.issue import Issue, IssueCode

PAGE_SIZES = (500, 100, 25)
"""Tried in this order: a host may allow less than the standard's 500, and answers 400 to more."""
MAX_PAGE_BYTES = 50_000_000
MAX_PAGES = 200_000
MAX_PARTITIONS = 200

_RESOURCE = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9]+")
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")

Page = list[Received]


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a read is repeated inside one pull: `attempts` per request, `total_wait_s` over all of them."""

    attempts: int = 5
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0
    total_wait_s: float = 300.0


@dataclass(frozen=True, slots=True)
class ChangeVersions:
    """The window of changes a host can tell about."""

    oldest: int
    newest: int


class EdfiClient:
    """A session with one host (one base address, tenant and school year). Not shared between threads."""

    def __init__(
        self,
        bearer: BearerClient,
        discovery: Discovery,
        *,
        retries: Retries | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.discovery = discovery
        self._bearer = bearer
        self._retries = retries or Retries()
        self._sleep = sleep
        self._waited = 0.0
        self._headers = {"Accept": "application/json"}

    def pages(
        self, resource: str, *, since: int | None = None, filters: Mapping[str, str] | None = None
    ) -> Iterator[Page | Failure]:
        """All items of `ed-fi/students`, page by page; a Failure ends it. `since`: changed after that version."""
        base = self._filters(since, filters)
        first = self._first_page(resource, base)
        if isinstance(first, Failure):
            yield first
            return
        reply, page, size = first
        token = reply.headers.get("next-page-token")
        if token and page:
            yield page
            yield from self._by_cursor(resource, base, token, size)
        elif page:
            yield page
            yield from self._by_offset(resource, base, page, size)

    def deletes(self, resource: str, *, since: int) -> Iterator[Page | Failure]:
        """What was deleted after a version: `{id, changeVersion, keyValues}`. Offset paging is all there is."""
        yield from self._notices(f"{resource}/deletes", since)

    def key_changes(self, resource: str, *, since: int) -> Iterator[Page | Failure]:
        """Whose natural key changed after a version: `{id, changeVersion, oldKeyValues, newKeyValues}`."""
        yield from self._notices(f"{resource}/keyChanges", since)

    def partitions(self, resource: str, number: int, *, since: int | None = None) -> list[str] | Failure:
        """Page tokens that start `number` equal parts (at most 200), for `pages_from`."""
        query = {**self._filters(since, None), "number": str(min(max(number, 1), MAX_PARTITIONS))}
        reply = self._get(f"{resource}/partitions", query)
        if isinstance(reply, Failure):
            return reply
        body = parse_json(reply.body)
        tokens = body.get("pageTokens") if isinstance(body, dict) else None
        if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
            return Malformed(Cause.BAD_SHAPE, reply.status)
        return tokens

    def pages_from(
        self, resource: str, token: str, *, since: int | None = None, size: int = PAGE_SIZES[0]
    ) -> Iterator[Page | Failure]:
        """The pages of one partition."""
        yield from self._by_cursor(resource, self._filters(since, None), token, size)

    def get(self, resource: str, record_id: str) -> Received | Failure:
        """One item by its resource id."""
        if not _ID.fullmatch(record_id):
            return Refused(Cause.BAD_ADDRESS)
        reply = self._get(f"{resource}/{record_id}", {})
        if isinstance(reply, Failure):
            return reply
        value = parse_json(reply.body)
        return (
            Received(reply.body, value)
            if isinstance(value, dict)
            else Malformed(Cause.BAD_JSON, reply.status)
        )

    def count(self, resource: str, *, since: int | None = None) -> int | Failure:
        """How many items there are, by the `Total-Count` header; hosts may be slow to count."""
        reply = self._get(resource, {**self._filters(since, None), "limit": "0", "totalCount": "true"})
        if isinstance(reply, Failure):
            return reply
        total = reply.headers.get("total-count", "")
        return (
            int(total) if total.isascii() and total.isdecimal() else Malformed(Cause.BAD_SHAPE, reply.status)
        )

    def change_versions(self) -> ChangeVersions | Failure | None:
        """The window of change versions; None where the host offers no change queries."""
        if self.discovery.change_queries is None:
            return None
        reply = self._get_url(urljoin(self.discovery.change_queries, "availableChangeVersions"), {})
        if isinstance(reply, Refused) and reply.cause is Cause.NOT_FOUND:
            return None
        if isinstance(reply, Failure):
            return reply
        body = parse_json(reply.body)
        if not isinstance(body, dict):
            return Malformed(Cause.BAD_JSON, reply.status)
        named = {name.lower(): value for name, value in body.items()}  # 5.x wrote them in PascalCase
        oldest, newest = named.get("oldestchangeversion"), named.get("newestchangeversion")
        if type(oldest) is not int or type(newest) is not int:
            return Malformed(Cause.BAD_SHAPE, reply.status)
        return ChangeVersions(oldest, newest)

    def begin(self, *, snapshot: bool = False) -> None:
        """Start a pull: patience is whole again. `snapshot`: read from the host's snapshot, if it has one."""
        self._waited = 0.0
        self._headers = {"Accept": "application/json"}
        if snapshot:
            self._headers["Use-Snapshot"] = "true"
            if not isinstance(
                self.change_versions(), ChangeVersions
            ):  # 404 "Snapshot Not Found", or no such feature
                del self._headers["Use-Snapshot"]

    @property
    def reads_snapshot(self) -> bool:
        """Whether reads come from a snapshot; a 404 then means that the host has removed it."""
        return "Use-Snapshot" in self._headers

    def dependencies(self) -> list[str] | Failure:
        """Resources in the order they may be loaded, `ed-fi/students` first; empty where the host does not tell."""
        if self.discovery.dependencies is None:
            return []
        reply = self._get_url(self.discovery.dependencies, {})
        if isinstance(reply, Failure):
            return reply
        rows = parse_json(reply.body)
        if not isinstance(rows, list):
            return Malformed(Cause.BAD_JSON, reply.status)
        placed: dict[str, int] = {}
        for row in rows:
            if (
                isinstance(row, dict)
                and isinstance(row.get("resource"), str)
                and type(row.get("order")) is int
            ):
                name = row["resource"].strip("/")
                placed[name] = min(row["order"], placed.get(name, row["order"]))  # persons stand twice
        return sorted(placed, key=lambda name: (placed[name], name))

    def _filters(self, since: int | None, filters: Mapping[str, str] | None) -> dict[str, str]:
        window = {} if since is None else {"minChangeVersion": str(since + 1)}
        return {**(filters or {}), **window}

    def _first_page(self, resource: str, base: Mapping[str, str]) -> tuple[Reply, Page, int] | Failure:
        """The first page, at the largest size the host accepts."""
        failure: Failure = Refused(Cause.HTTP_4XX)
        for size in PAGE_SIZES:
            reply = self._get(resource, {**base, "limit": str(size)})
            if isinstance(reply, Reply):
                page = _page(reply)
                return page if isinstance(page, Failure) else (reply, page, size)
            failure = reply
            if not isinstance(reply, Refused) or reply.status != HTTPStatus.BAD_REQUEST:
                break
        return failure

    def _by_cursor(
        self, resource: str, base: Mapping[str, str], token: str, size: int
    ) -> Iterator[Page | Failure]:
        for _ in range(MAX_PAGES):
            reply = self._get(resource, {**base, "pageToken": token, "pageSize": str(size)})
            page = reply if isinstance(reply, Failure) else _page(reply)
            if isinstance(page, Failure):
                yield page
                return
            if not page:
                return
            yield page
            following = reply.headers.get("next-page-token") if isinstance(reply, Reply) else None
            if following is None:  # some hosts leave it out on the last page
                return
            if following == token:
                yield Malformed(Cause.BAD_PAGING)
                return
            token = following
        yield Malformed(Cause.BAD_PAGING)

    def _by_offset(
        self, resource: str, base: Mapping[str, str], last: Page, size: int
    ) -> Iterator[Page | Failure]:
        offset = len(last)
        for _ in range(MAX_PAGES):
            reply = self._get(resource, {**base, "offset": str(offset), "limit": str(size)})
            page = reply if isinstance(reply, Failure) else _page(reply)
            if isinstance(page, Failure):
                yield page
                return
            if not page:
                return
            if [each.raw for each in page] == [each.raw for each in last]:  # the host ignores the offset
                yield Malformed(Cause.BAD_PAGING)
                return
            yield page
            offset, last = offset + len(page), page
        yield Malformed(Cause.BAD_PAGING)

    def _notices(self, path: str, since: int) -> Iterator[Page | Failure]:
        base = self._filters(since, None)
        first = self._first_page(path, base)
        if isinstance(first, Failure):
            yield first
            return
        _, page, size = first
        if page:
            yield page
            yield from self._by_offset(path, base, page, size)

    def _get(self, path: str, params: Mapping[str, str]) -> Reply | Failure:
        resource = "/".join(path.split("/")[:2])
        if not _RESOURCE.fullmatch(resource):
            return Refused(Cause.BAD_ADDRESS)
        return self._get_url(self.discovery.data + path, params)

    def _get_url(self, url: str, params: Mapping[str, str]) -> Reply | Failure:
        """One read, repeated while the failure is transient and the pull's patience lasts."""
        failure: Failure = Transient(Cause.TIMEOUT)
        for attempt in range(self._retries.attempts):
            reply = self._bearer.send(
                "GET", url, params=params, headers=self._headers, max_bytes=MAX_PAGE_BYTES
            )
            found = reply if isinstance(reply, Failure) else failure_of(reply, codes_of(reply))
            if found is None and isinstance(reply, Reply):
                return reply
            failure = found or failure
            if not isinstance(failure, Transient) or not self._wait(attempt, failure):
                break
        return failure

    def _wait(self, attempt: int, failure: Transient) -> bool:
        """Wait before the next attempt; False where the partner asks for more than this pull may spend."""
        bounds = self._retries
        seconds = failure.retry_after_s
        if seconds is None:
            seconds = min(bounds.first_wait_s * 2**attempt, bounds.longest_wait_s)
        if attempt + 1 >= bounds.attempts or seconds > bounds.longest_wait_s:
            return False
        if self._waited + seconds > bounds.total_wait_s:
            return False
        self._waited += seconds
        self._sleep(seconds)
        return True


def _page(reply: Reply) -> Page | Failure:
    found = split_array(reply.body)
    if isinstance(found, Issue):
        cause = Cause.TOO_DEEP if found.code is IssueCode.TOO_DEEP else Cause.BAD_JSON
        return Malformed(cause, reply.status)
    return found
