"""One received record on its way in: cut, tied to whom it is about, joined with what it names, mapped and checked."""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.port import Failure, SourceDocument, Watermark
from gateway.exchange.feed import Feed, Join, short
from gateway.exchange.neverkeep import Kept, cut
from gateway.store.documents import record_key
from mappings.engine.compiled import CompiledMap
from mappings.engine.runtime import Issues
from mappings.fhir import inbound
from mappings.identity.keys import system_key
from mappings.record.assertion import Draft, check_value
from mappings.record.issue import Issue, IssueCode, Severity
from mappings.record.kind import Kind
from mappings.record.regime import Regime

Pulled = SourceDocument | Issue | Watermark | Failure
"""What a source gives, one after another."""

CHILD_SUBJECTS = ("student", "patient", "participant")
"""Subjects of a map by which a source names the child in its own words."""

HUB_SUBJECT = "child"
"""The subject by which a source names the child with the reference this hub gave it."""


@dataclass(frozen=True, slots=True)
class Companion:
    """A record that others are completed with: its key, what was kept of it, and what arrived."""

    join: Join
    record_key: bytes
    version: str | None
    original: bytes = field(repr=False)
    kept: Kept = field(repr=False)


@dataclass(slots=True)
class Item:
    """A record after the cut. `source` is what its map reads, `drafts` what the map made of it.

    `source_key` stands for the child in the source's own words, empty for a record about no child. `child_ref` is set instead where the
    source names the child by the reference this hub gave it, `referral_ref` where it speaks of a referral. `claim` is such a
    reference on a patient's own record, and `ours` that this hub wrote the record there itself: it states nothing.
    """

    resource: str
    record_id: str
    record_key: bytes
    version: str | None
    original: bytes = field(repr=False)
    kept: Kept = field(repr=False)
    source: dict[str, Any] = field(default_factory=dict, repr=False)
    source_key: bytes = b""
    child_ref: str | None = field(default=None, repr=False)
    referral_ref: str | None = field(default=None, repr=False)
    claim: str | None = field(default=None, repr=False)
    ours: bool = False
    joined: list[Companion] = field(default_factory=list, repr=False)
    drafts: list[Draft] = field(default_factory=list, repr=False)
    regimes: frozenset[Regime] = frozenset()

    def material(self) -> bytes:
        """What tells whether the record, or one it was joined with, changed."""
        return b"\x1e".join([self.kept.raw, *(one.kept.raw for one in self.joined)])

    def original_material(self) -> bytes:
        """The same of what arrived, before the cut."""
        return b"\x1e".join([self.original, *(one.original for one in self.joined)])


@dataclass(frozen=True, slots=True)
class Secrets:
    """The deployment secrets intake keys its hashes with."""

    records: bytes = field(repr=False)
    identities: bytes = field(repr=False)


def receive(document: SourceDocument, feed: Feed, secrets: Secrets) -> Item:
    """A document after the cut; nothing of what is never kept goes further."""
    resource = short(document.resource)
    return Item(
        resource,
        document.record_id,
        own_key(document, feed, secrets),
        document.version,
        document.raw,
        cut(document.raw, document.body),
    )


def own_key(document: SourceDocument, feed: Feed, secrets: Secrets) -> bytes:
    """What a record is found again by: the natural key its map declares and, without one, the source's own id.

    An id does not last: an item that is deleted and made again under the same key has a new one, and says the same.
    """
    resource = short(document.resource)
    parts = [_scalar_at(document.body, path) for path in _key_paths(feed, resource)]
    key = _joined(parts) or document.record_id
    return record_key(secrets.records, feed.row.connection, resource, key)


def left_key(document: SourceDocument, feed: Feed, secrets: Secrets) -> bytes | None:
    """What the record was found by that a notice of deletion or key change tells of; None where the notice does not say.

    Ed-Fi's notices carry the natural key flat, each member under its last name; others show the record itself.
    """
    resource = short(document.resource)
    values = document.body.get("oldKeyValues", document.body.get("keyValues"))
    join = feed.companion(resource)
    if join is not None:
        key = companion_key(document.body if values is None else values, join)
        return None if key is None else companion_record_key(secrets, feed, join, key)
    if values is None:
        return own_key(document, feed, secrets)
    names = [path[-1] for path in _key_paths(feed, resource)]
    key = _joined([_scalar_at(values, (name,)) for name in names]) if len(set(names)) == len(names) else None
    return None if key is None else record_key(secrets.records, feed.row.connection, resource, key)


def _key_paths(feed: Feed, resource: str) -> list[tuple[str, ...]]:
    """Where the members of a record's natural key stand; none where its resource has no map or the map declares none."""
    compiled = feed.maps.get(resource)
    reads = () if compiled is None else compiled.document.record_id
    return [tuple(read.path.removeprefix("$.").split(".")) for read in reads]


def _joined(parts: Sequence[str | None]) -> str | None:
    """A key of several members as one text; None where a member is missing, or there is none."""
    known = [part for part in parts if part is not None]
    return "\x1f".join(known) if known and len(known) == len(parts) else None


def _scalar_at(body: Mapping[str, Any], path: Sequence[str]) -> str | None:
    value: Any = body
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return str(value) if isinstance(value, str | int) and value != "" else None


def companion_key(body: Mapping[str, Any], join: Join) -> str | None:
    """The key by which other documents name this one."""
    return _scalar_at(body, (join.key,))


def named(body: Mapping[str, Any], join: Join) -> str | None:
    """The key of the companion a document names."""
    return _scalar_at(body, join.by)


def companion_record_key(secrets: Secrets, feed: Feed, join: Join, key: str) -> bytes:
    """A companion is found by the key others name it by, not by the host's own id."""
    return record_key(secrets.records, feed.row.connection, join.companion, key)


def source_of(item: Item, feed: Feed, joins: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What the map reads: the document, what it names, and the connection's own word for who gave the identifiers."""
    assigner = feed.row.config.get("assigner") or feed.row.org
    return {**item.kept.body, **joins, "connection": {"assigner": assigner}}


def prepare_fhir(item: Item, feed: Feed, base: str) -> Issue | None:
    """Pass a FHIR resource through its gate and work out its topic and labels; the reason where it is refused."""
    prepared = inbound.prepare(item.source, system=base, topic=feed.row.programme)
    if prepared.source is None:
        return first_error(prepared.issues)
    item.source, item.regimes = prepared.source, prepared.regimes
    return None


def recognise(item: Item, base: str) -> None:
    """Note what of this hub's own a FHIR resource carries: what was sent to a server comes back when it is read.

    A patient's own record may have been given our reference by the agency; it is ours only if every identifier on it is. A
    Task we wrote is moved on by whoever does the work: what it says then is theirs.
    """
    marks = [one for one in _listed(item.kept.body, "identifier") if _system(one).startswith(f"{base}/")]
    if item.resource == "Patient":
        item.claim = next((str(one.get("value")) for one in marks if _system(one) == f"{base}/child"), None)
        item.ours = item.claim is not None and len(marks) == len(_listed(item.kept.body, "identifier"))
    elif item.resource != "Task":
        meta = item.kept.body.get("meta")
        tags = _listed(meta if isinstance(meta, Mapping) else {}, "tag")
        item.ours = bool(marks) or any(_system(one).startswith(f"{base}/") for one in tags)


def _listed(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects of a list; an Observation's or Condition's identifier is one too."""
    value = body.get(name)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _system(one: Mapping[str, Any]) -> str:
    return str(one.get("system", ""))


def find_subject(item: Item, compiled: CompiledMap, feed: Feed, secrets: Secrets) -> Issue | None:
    """Fill in whom the document is about; the reason where it does not say.

    Runs only the map's keys, so that an unchanged document costs no mapping.
    """
    issues = Issues()
    natural, subjects = compiled.program.keys(item.source, issues)
    if natural is None:
        return first_error(tuple(issues))
    item.referral_ref = subjects.get("referral")
    item.child_ref = subjects.get(HUB_SUBJECT)
    name = next((name for name in CHILD_SUBJECTS if name in subjects), None)
    if item.child_ref is None and name is not None:
        item.source_key = identity_key(secrets, feed, name, subjects[name])
    return None


def identity_key(secrets: Secrets, feed: Feed, subject: str, key: str) -> bytes:
    """The keyed hash of the child's own key in this connection."""
    return hmac.digest(secrets.identities, f"{feed.row.connection}\x1f{subject}\x1f{key}".encode(), "sha256")


def map_item(item: Item, compiled: CompiledMap, feed: Feed) -> tuple[Issue, ...]:
    """Fill in the facts of a document, each checked against its model; what does not fit is left out with an issue."""
    if item.ours:
        return ()
    result = compiled.run(item.source)
    issues = list(result.issues)
    for output in result.outputs:
        kind = Kind(output.kind)
        value, wrong = check_value(kind, output.value, output.path)
        if value is None:
            issues.extend(wrong)
            continue
        if kind is Kind.IDENTIFIER:
            value = _as_the_community_says(value, feed)
        item.drafts.append(output._replace(value=value, regimes=output.regimes | item.regimes).draft())
    return tuple(issues)


def _as_the_community_says(value: dict[str, Any], feed: Feed) -> dict[str, Any]:
    """An identifier under the community's own words for its kind and for who gave it.

    A connection's `identifier_systems` says what its words for kinds of number mean here; an agency that is called by its
    name is meant by its key. Only then can two sources' numbers be seen to be one.
    """
    systems = feed.row.config.get("identifier_systems", {})
    assigner = feed.agencies.get(system_key(value["assigner"]), value["assigner"])
    return {**value, "system": systems.get(value["system"], value["system"]), "assigner": assigner}


def first_error(issues: tuple[Issue, ...]) -> Issue | None:
    """What a document was refused for."""
    return next((issue for issue in issues if issue.severity is Severity.ERROR), None)


def parse_kept(raw: bytes) -> dict[str, Any]:
    """A stored document as the value it was; `{}` for bytes that are no JSON object, which intake never wrote."""
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def no_key(path: str) -> Issue:
    """A companion that says no key by which others could name it."""
    return Issue(
        severity=Severity.ERROR,
        code=IssueCode.REQUIRED,
        path=path,
        text="its key is missing; the document was refused. Fill it at the source.",
    )


def not_ours(path: str) -> Issue:
    """A record that names a child by a reference this hub did not give this agency."""
    return Issue(
        severity=Severity.ERROR,
        code=IssueCode.NOT_OURS,
        path=path,
        text="is not a reference this hub gave you; the row was refused. Copy it from the worklist as it stands.",
    )
