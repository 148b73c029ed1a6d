"""What an Ed-Fi host says about itself: GET its base address, anonymously (Ed-Fi API guidelines, Discovery API).

No Ed-Fi address is ever put together from text here: ODS/API 7 serves `/data/v3/`, Ed-Fi API v8 `/data/`, and the token
endpoint moved too (`reference/school.md` §0, §1.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from adapters.http import HttpClient, Reply, failure_of
from adapters.origin import own_address
from adapters.port import Cause, Failure, Malformed, Refused
from adapters.received import parse_json


class DataStandard(StrEnum):
    """The generations whose shapes differ (`reference/school.md` §1.8)."""

    DS4 = "4"
    DS5 = "5"
    DS6 = "6"


@dataclass(frozen=True, slots=True)
class Discovery:
    """The addresses and versions a host announced. Addresses of collections end with a slash; None: not offered."""

    base: str
    trusted: frozenset[str]
    version: str
    data_models: tuple[tuple[str, str], ...]
    data_standard: DataStandard | None
    data: str
    oauth: str
    openapi: str | None
    dependencies: str | None
    change_queries: str | None
    token_info: str | None

    def own(self, url: Any) -> str | None:
        """A further address from one of the host's documents, if it may be called."""
        return own_address(self.base, url, self.trusted)


def _slashed(url: str | None) -> str | None:
    return url if url is None or url.endswith("/") else url + "/"


def _models(listed: Any) -> tuple[tuple[str, str], ...]:
    entries = listed if isinstance(listed, list) else []
    return tuple(
        (str(entry["name"]), str(entry["version"]))
        for entry in entries
        if isinstance(entry, dict) and "name" in entry and "version" in entry
    )


def _standard(models: tuple[tuple[str, str], ...]) -> DataStandard | None:
    """The newest Ed-Fi data model announced. Confirm it by the paths the host's own specification has."""
    majors = [version.partition(".")[0] for name, version in models if name.lower() == "ed-fi"]
    known = [DataStandard(major) for major in majors if major in set(DataStandard)]
    return max(known, default=None)


def read_discovery(
    base_url: str, document: Mapping[str, Any], trusted: frozenset[str]
) -> Discovery | Failure:
    """A discovery document as addresses we are willing to call."""
    urls = document.get("urls")
    if not isinstance(urls, dict):
        return Malformed(Cause.BAD_SHAPE)

    def own(*names: str) -> str | None:
        return next(
            (found for name in names if (found := own_address(base_url, urls.get(name), trusted))), None
        )

    data, oauth = own("dataManagementApi"), own("oauth")
    if data is None or oauth is None:
        announced = all(isinstance(urls.get(name), str) for name in ("dataManagementApi", "oauth"))
        return Refused(Cause.EGRESS) if announced else Malformed(Cause.BAD_SHAPE)
    models = _models(document.get("dataModels"))
    return Discovery(
        base=base_url,
        trusted=trusted,
        version=str(document.get("version", "")),
        data_models=models,
        data_standard=_standard(models),
        data=_slashed(data) or data,
        oauth=oauth,
        openapi=own("openApiMetadata"),
        dependencies=own("dependencies"),
        change_queries=_slashed(own("changeQueries")),
        token_info=own("tokenInfo", "oauthTokenIntrospection"),
    )


def discover(
    http: HttpClient, base_url: str, *, trusted: frozenset[str] = frozenset()
) -> Discovery | Failure:
    """Ask the host. `trusted` lists further origins (`https://host:port`) it may point to, such as v8's token service."""
    base = _slashed(base_url) or base_url
    reply = http.send("GET", base, headers={"Accept": "application/json"})
    if not isinstance(reply, Reply):
        return reply
    failure = failure_of(reply)
    if failure is not None:
        return failure
    document = parse_json(reply.body)
    if not isinstance(document, dict):
        return Malformed(Cause.BAD_JSON, reply.status)
    return read_discovery(base, document, frozenset(origin.lower().rstrip("/") for origin in trusted))
