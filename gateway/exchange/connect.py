"""A connection's row made into something that can be pulled from or sent to: address and options, secrets by reference.

Everything here is opened for one pull or one send and closed after it; a secret is read when it is needed and not kept.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from adapters.community.layouts import PLAN_SHEET, WORKLIST, Layout
from adapters.community.sheet import read_sheet
from adapters.edfi.source import connect as connect_edfi
from adapters.egress import Egress
from adapters.fhir.client import FhirClient
from adapters.fhir.source import FhirSource
from adapters.http import HttpClient, Limits, Tls
from adapters.oauth import Algorithm, Assertion, BearerClient, Credentials, Secret, TokenSource
from adapters.oneroster.csv import OneRosterBundle
from adapters.oneroster.csv import read as read_package
from adapters.oneroster.package import Mode
from adapters.oneroster.people import is_student
from adapters.port import Operation, SourceDocument, Watermark
from gateway.exchange.community_file import AdapterKind
from gateway.exchange.context import Hub
from gateway.exchange.feed import Row
from gateway.exchange.item import Pulled
from mappings.record.issue import Issue, IssueCode, Severity

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


SEARCHED = ("Patient", "Condition", "Goal", "Observation", "CarePlan", "CareTeam")
"""What is read of a FHIR server unless the connection lists its `searches`: the types there are maps for."""


LAYOUTS: Mapping[str, tuple[Layout, str]] = {
    "worklist": (WORKLIST, "worklistRow"),
    "plan": (PLAN_SHEET, "planRow"),
}
"""The sheets the hub reads: their layout and the resource their rows are."""


_write = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class Misconfigured(Exception):  # noqa: N818 - reads as what happened
    """A connection lacks an option it needs. The text names it; `planhub apply` mends it."""


def option(row: Row, name: str) -> Any:
    """An option of the connection; raises Misconfigured where it is missing."""
    value = row.config.get(name)
    if value in {None, ""} if not isinstance(value, list | dict) else not value:
        raise Misconfigured(f"connection {row.connection} has no {name}; add it under config and apply again")
    return value


def secret(hub: Hub, row: Row, name: str) -> str:
    """A secret of the connection by the name it has there; raises Misconfigured or SecretMissing."""
    reference = row.config.get("secrets", {}).get(name)
    if reference is None:
        raise Misconfigured(
            f"connection {row.connection} names no secret {name}; add it under secrets as env:NAME or file:/path"
        )
    return hub.secrets(reference)


@contextmanager
def http_client(hub: Hub, row: Row) -> Iterator[HttpClient]:
    """A client that may call this partner: public addresses, and the private networks the operator has listed."""
    allowed = (*hub.settings.egress_allow, *(LOOPBACK if hub.settings.allow_loopback_partners else ()))
    limits = Limits(**row.config.get("limits", {}))
    ca_file = row.config.get("ca_file")
    tls = Tls(ca_pem=Path(ca_file).read_text(encoding="ascii") if ca_file else None)
    with HttpClient(limits=limits, egress=Egress(tuple(allowed)), tls=tls) as http:
        yield http


def pull(hub: Hub, row: Row, since: str | None) -> Iterator[Pulled]:
    """What the connection's source has to tell since the mark; everything, where it is None.

    Raises Misconfigured or SecretMissing before anything is read.
    """
    match row.adapter:
        case AdapterKind.EDFI:
            yield from _pull_edfi(hub, row, since)
        case AdapterKind.FHIR:
            yield from _pull_fhir(hub, row, since)
        case AdapterKind.ONEROSTER_CSV:
            yield from _pull_package(Path(str(option(row, "file"))))
        case _:
            raise Misconfigured(f"connection {row.connection} is not one to pull from")


def _pull_edfi(hub: Hub, row: Row, since: str | None) -> Iterator[Pulled]:
    credentials = Secret(
        secret(hub, row, "client_id"),
        secret(hub, row, "client_secret"),
        in_body=bool(row.config.get("credentials_in_body", False)),
    )
    with http_client(hub, row) as http:
        source = connect_edfi(
            http,
            str(option(row, "base_url")),
            credentials,
            [str(resource) for resource in option(row, "resources")],
            trusted=frozenset(row.config.get("trusted_hosts", ())),
            snapshot=bool(row.config.get("snapshot", False)),
        )
        if not hasattr(source, "pull"):
            yield source
            return
        yield from source.pull(None if since is None else int(since))


def _pull_fhir(hub: Hub, row: Row, since: str | None) -> Iterator[Pulled]:
    listed = row.config.get("searches") or [{"type": kind} for kind in SEARCHED]
    searches = [(str(one["type"]), dict(one.get("params", {}))) for one in listed]
    with http_client(hub, row) as http:
        client = FhirClient(BearerClient(http, tokens(hub, row, http)), str(option(row, "base_url")))
        yield from FhirSource(client, searches).pull(None if since is None else int(since))


def _pull_package(path: Path) -> Iterator[Pulled]:
    if not path.is_file():
        text = "There is no such file. Give the path of a OneRoster ZIP."
        yield Issue(severity=Severity.ERROR, code=IssueCode.BAD_ARCHIVE, path=path.name, text=text)
        return
    with read_package(path) as bundle:
        yield from package_documents(bundle)


def package_documents(bundle: OneRosterBundle) -> Iterator[Pulled]:
    """A OneRoster package as documents, one per user; a refused one gives its faults and nothing else.

    Users who are no students have no map and are set aside. What a source marks for deletion is deleted.
    """
    if bundle.refused:
        yield from (issue for issue in bundle.issues if issue.severity is Severity.ERROR)
        return
    for person in bundle.people:
        user: Mapping[str, Any] = person["user"]
        gone = user.get("status") == "tobedeleted"
        yield SourceDocument(
            resource="users" if is_student(person) else "otherUsers",
            record_id=user["sourcedId"],
            version=user.get("dateLastModified"),
            operation=Operation.DELETE if gone else Operation.UPSERT,
            raw=_write(person).encode(),
            body=person,
        )
    yield Watermark(None, full=bundle.mode is not Mode.DELTA)


def tokens(hub: Hub, row: Row, http: HttpClient) -> TokenSource | None:
    """The partner's tokens, where it asks for any: with a client secret, or with a key pair (SMART Backend Services)."""
    if "token_url" not in row.config:
        return None
    client_id = str(option(row, "client_id"))
    credentials: Credentials
    if "private_key" in row.config.get("secrets", {}):
        credentials = Assertion(
            client_id,
            secret(hub, row, "private_key"),
            key_id=str(option(row, "key_id")),
            algorithm=Algorithm(row.config.get("algorithm", Algorithm.ES384)),
            now=hub.clock,
            new_id=hub.ids,
        )
    else:
        credentials = Secret(client_id, secret(hub, row, "client_secret"))
    return TokenSource(http, str(option(row, "token_url")), credentials, scope=row.config.get("scope"))


def sheet_documents(
    sheet_id: str, path: Path, data: bytes | None = None, *, kind: str = "plan"
) -> Iterator[Pulled]:
    """The rows of a sheet (CSV or XLSX) as documents; a file that cannot be read gives its faults and nothing else.

    `sheet_id` names the sheet in the ids of rows that have none of their own: the same sheet must have the same.

    A sheet tells what its author wrote in it and nothing of what is not in it: no row is ever taken back by its absence.
    """
    layout, resource = LAYOUTS[kind]
    sheet = read_sheet(
        path.read_bytes() if data is None else data, layout, name=path.name, sheet_id=path.stem
    )
    if sheet.refused:
        yield from (issue for issue in sheet.issues if issue.severity is Severity.ERROR)
        return
    rejected = [issue for issue in sheet.issues if issue.severity is not Severity.INFORMATION]
    for number in range(sheet.rejected):
        issue = rejected[min(number, len(rejected) - 1)] if rejected else _unread()
        yield issue.model_copy(update={"path": f"{resource}:{issue.path}"})
    for row in sheet.rows:
        body = dict(row.cells)
        yield SourceDocument(
            resource=resource,
            record_id=body.get("row_id", f"{sheet_id}:{row.number}"),
            version=None,
            operation=Operation.UPSERT,
            raw=_write(body).encode(),
            body=body,
        )
    yield Watermark(None, full=False)


def _unread() -> Issue:
    return Issue(severity=Severity.ERROR, code=IssueCode.BAD_ROW, path="", text="a row could not be read.")
