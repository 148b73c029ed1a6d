"""A record view as a FHIR R4 transaction Bundle: what a clinic's server receives of a plan and a referral.

The map `planhub/fhir-plan` makes each resource from its assertions; here they are tied together, labelled, attributed and
put into a fixed order, so that the same view gives the same bytes. Each entry is a conditional create on our identifier
(`ifNoneExist`), so a destination that gets it twice keeps one; CarePlan and CareTeam, which change from version to version,
are conditional updates. US Core 7.0.0 is the floor, referrals follow Gravity SDOH Clinical Care 3.0.0. No value, name or
identifier comes from anywhere but the view and the directory of organisations; no time of day of ours is in it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from mappings.engine.compiled import CompiledMap
from mappings.engine.result import Output
from mappings.engine.shipped import shipped_map
from mappings.fhir.assembly import CODES, care_plan, resource_pieces, with_disputes
from mappings.fhir.bindings import check_bindings, check_vocabulary
from mappings.fhir.document import view_document
from mappings.fhir.label import high_water, security
from mappings.fhir.narrative import narrative
from mappings.fhir.piece import PATIENT, US_CORE, Body, Piece, resolved
from mappings.fhir.profiles import check_profiles
from mappings.fhir.request import Parties, ReferralContext, latest_event, referral_pieces
from mappings.fhir.structure import check_structure
from mappings.organization import Organizations
from mappings.outward import in_order
from mappings.record.assertion import Quality
from mappings.record.category import Category
from mappings.record.issue import Issue, IssueCode, Severity
from mappings.record.kind import Kind
from mappings.view import RecordView, ViewedAssertion

MEDIA_TYPE = "application/fhir+json"
MAP_ID = "planhub/fhir-plan"
HUB = ""

_ORDER = (
    "Patient", "Organization", "RelatedPerson", "CareTeam", "CarePlan", "Goal", "Condition", "Observation", "Procedure",
    "ServiceRequest", "Task", "Provenance",
)  # fmt: skip

_SYSTEMS = {
    "Patient": "child",
    "Organization": "organization",
    "ServiceRequest": "referral",
    "Task": "referral",
}
"""The identifier system, below the hub's base, of types that are not under `record`."""

_NO_HOME: Mapping[Kind, str] = {
    Kind.ENROLLMENT: "FHIR R4 has no home for a school enrolment; it was not sent",
    Kind.EQUITY_ATTRIBUTE: "equity attributes leave in aggregates only; it was not sent",
    Kind.ADDRESS: "FHIR R4 has no home for a do-not-publish flag; the address was not sent",
    Kind.TELECOM: "FHIR R4 has no home for a do-not-publish flag; the number was not sent",
    Kind.GUARDIAN: "FHIR R4 has no home for a contact restriction; the guardian was not sent",
    Kind.PROFILE_ITEM: "risks are not sent to partners",
    Kind.IDENTIFIER: "the identifier names an organisation this recipient does not see; it was not sent",
    Kind.CARE_TEAM_MEMBER: "the member's organisation is not one this recipient sees; it was not sent",
    Kind.REFERRAL: "only the referral this delivery is for is sent",
    Kind.REFERRAL_EVENT: "only the latest event of the referral is sent",
}
"""Why an assertion of a view may stand in no resource."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a Bundle needs besides the view. `system` is the base URI of the hub's identifier systems, without a slash.

    `conditional_update` is false for a destination whose CapabilityStatement does not offer it: then a changed CarePlan or
    CareTeam is a new instance under an identifier of its own, and a referral that has moved cannot be told (an issue).
    """

    system: str
    organizations: Organizations
    conditional_update: bool = True


@dataclass(frozen=True, slots=True)
class FhirBundle:
    """A Bundle ready to send: its JSON and bytes, and exactly what it was made of."""

    bundle: Body
    content: bytes
    categories: frozenset[Category]
    assertion_ids: frozenset[str]
    issues: tuple[Issue, ...]

    @property
    def refused(self) -> bool:
        """Whether it must not be sent, since it is no valid R4."""
        return any(issue.severity is Severity.ERROR for issue in self.issues)


def from_view(
    view: RecordView,
    *,
    context: Context,
    referral: ReferralContext | None = None,
    plan_map: CompiledMap | None = None,
) -> FhirBundle:
    """The Bundle of a view; `plan_map` is the published map the connection names (the shipped one where none is given).

    A resource that came out as no valid R4 is left out with an issue; a Bundle that is still not valid is `refused`.
    """
    source = view_document(view, context.organizations, system=context.system)
    result = (plan_map or shipped_map(MAP_ID)).run(source)
    work = _Work(view, context)
    pieces, told = work.pieces(result.outputs, referral)
    whole = work.with_plan(pieces, result.outputs)
    bundle = work.bundle(whole)
    wrong = check_bundle(bundle)
    if wrong:
        urls, dropped = _faulty(bundle, wrong)
        pieces = [
            piece for piece in pieces if piece.type == "Patient" or piece.url(context.system) not in urls
        ]
        whole = [
            one
            for one in work.with_plan(pieces, result.outputs)
            if one in pieces or one.url(context.system) not in urls
        ]
        bundle = work.bundle(whole)
        told = (*told, *dropped)
        wrong = check_bundle(bundle)
    uses = frozenset(use for piece in whole for use in piece.uses)
    issues = dict.fromkeys((*result.issues, *told, *work.unsent(uses), *wrong))
    categories = frozenset(work.items[use].category for use in uses)
    return FhirBundle(bundle, canonical(bundle), categories, uses, tuple(issues))


def canonical(bundle: Body) -> bytes:
    """One spelling: members sorted, no white space, UTF-8."""
    text = json.dumps(bundle, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def check_bundle(bundle: Body) -> tuple[Issue, ...]:
    """Structure of the whole, then required codes and claimed profiles of every entry; every issue is an error."""
    issues = check_structure(bundle)
    if issues:
        return issues
    entries = [entry for entry in bundle.get("entry", []) if isinstance(entry.get("resource"), dict)]
    types = {entry.get("fullUrl", ""): entry["resource"]["resourceType"] for entry in entries}
    found: list[Issue] = []
    for index, entry in enumerate(entries):
        path = f"Bundle.entry.{index}.resource"
        found += check_bindings(entry["resource"], path=path)
        found += check_vocabulary(entry["resource"], path=path)
        found += check_profiles(entry["resource"], types=types, path=path)
    return tuple(found)


def _faulty(bundle: Body, wrong: Sequence[Issue]) -> tuple[frozenset[str], tuple[Issue, ...]]:
    """The full URLs of the entries that issues speak of, and the issues as what was left out."""
    paths = [issue.path.split(".") for issue in wrong]
    urls = frozenset(bundle["entry"][int(path[2])]["fullUrl"] for path in paths if path[1:2] == ["entry"])
    left_out = "; the resource was left out"
    return urls, tuple(
        issue.model_copy(update={"severity": Severity.WARNING, "text": issue.text + left_out})
        for issue in wrong
    )


class _Work:
    """One Bundle in the making: the view, its assertions by outward id, and the destination's context."""

    def __init__(self, view: RecordView, context: Context) -> None:
        """Bind what every step needs."""
        self.view = view
        self.context = context
        self.items: dict[str, ViewedAssertion] = {item.id: item for item in in_order(view)}

    def pieces(
        self, outputs: Sequence[Output], referral: ReferralContext | None
    ) -> tuple[list[Piece], tuple[Issue, ...]]:
        """Every resource but the plan, organisations and provenance, which follow from the others."""
        made = resource_pieces(outputs, self.items, self.view)
        asked = next((p for p in made if referral and p.key == f"@{referral.assertion_id}"), None)
        made = [piece for piece in made if piece.type != "ServiceRequest"]
        issues: tuple[Issue, ...] = ()
        if referral and asked and asked.type == "ServiceRequest":
            sent, issues = self._referral(asked, referral, made)
            sent, told = self._creatable(sent)
            issues = (*issues, *told)
            made += [with_disputes(piece, self.items) for piece in sent]
        elif referral:
            text = "the referral is not in the view; nothing of it was sent"
            path = "view.referral"
            issues = (Issue(severity=Severity.WARNING, code=IssueCode.FORBIDDEN, path=path, text=text),)
        return made, issues

    def with_plan(self, pieces: Sequence[Piece], outputs: Sequence[Output]) -> list[Piece]:
        """The pieces and the plan that points at them, where the view holds one."""
        plan = care_plan(outputs, pieces, self.items, self.view)
        return [*pieces, *([plan] if plan else [])]

    def _referral(
        self, asked: Piece, referral: ReferralContext, made: Sequence[Piece]
    ) -> tuple[tuple[Piece, ...], tuple[Issue, ...]]:
        item = self.items[referral.assertion_id]
        event = latest_event(item, self.view.of(Kind.REFERRAL_EVENT))
        linked = {f"@{link}" for link in item.links}
        needs = [piece.body for piece in made if piece.key in linked and piece.type == "Condition"]
        owner = self._party(referral.owner) if referral.owner else None
        parties = Parties(self._party(referral.requester), owner, referral.ref or referral.assertion_id)
        asked = asked.with_body(note=[{"text": notice} for notice in self.view.notices])
        return referral_pieces(asked, item, event, parties, needs)

    def _creatable(self, sent: tuple[Piece, ...]) -> tuple[tuple[Piece, ...], tuple[Issue, ...]]:
        """The referral's pieces as this destination can take them; one that cannot update keeps the first it got."""
        if self.context.conditional_update or not any(piece.updates for piece in sent):
            return sent, ()
        text = "the destination offers no conditional update; it keeps the referral as it first got it"
        issue = Issue(
            severity=Severity.WARNING, code=IssueCode.NO_HOME, path="view.referral-event", text=text
        )
        return tuple(replace(piece, updates=False) for piece in sent), (issue,)

    def organization(self, key: str) -> str:
        """The symbolic reference of an organisation: itself where it may be named here, else the hub."""
        named = self.context.organizations.named(key, self.view.categories)
        return f"@org/{named.key if named else HUB}"

    def _party(self, key: str) -> str:
        """The same for one who asks, or is asked: a referral says so itself, unless the programme is extra-private."""
        named = self.context.organizations.party(key, self.view.categories)
        return f"@org/{named.key if named else HUB}"

    def bundle(self, pieces: Sequence[Piece]) -> Body:
        """The transaction, in a fixed order."""
        sources = self._provenance(pieces)
        whole = [*pieces, *self._organizations([*pieces, *sources]), *sources]
        targets = {piece.key: (piece.type, piece.url(self.context.system)) for piece in whole}
        entries = [
            self._entry(piece, targets)
            for piece in sorted(whole, key=lambda piece: (_ORDER.index(piece.type), piece.identity))
        ]
        return {
            "resourceType": "Bundle",
            "meta": {"security": high_water(entry["resource"]["meta"]["security"] for entry in entries)},
            "type": "transaction",
            "entry": entries,
        }

    def _organizations(self, pieces: Iterable[Piece]) -> list[Piece]:
        """A piece for each organisation something refers to."""
        keys = sorted(_named_organizations([piece.body for piece in pieces]))
        directory = self.context.organizations
        names = {key: directory.by_key[key].name if key else directory.hub for key in keys}
        return [
            Piece(
                "Organization", f"@org/{key}", key or "hub", {"active": True, "name": name}, frozenset(),
                (f"{US_CORE}us-core-organization",),
            )
            for key, name in names.items()
        ]  # fmt: skip

    def _provenance(self, pieces: Sequence[Piece]) -> list[Piece]:
        """One Provenance per organisation that stated something here (US Core: author, and the hub as transmitter)."""
        by_source: dict[str, list[Piece]] = {}
        for piece in pieces:
            for source in {self.organization(self.items[use].org) for use in piece.uses}:
                by_source.setdefault(source, []).append(piece)
        return [self._source(source, by_source[source]) for source in sorted(by_source)]

    def _source(self, source: str, pieces: Sequence[Piece]) -> Piece:
        uses = {
            use for piece in pieces for use in piece.uses if self.organization(self.items[use].org) == source
        }
        recorded = max(self.items[use].asserted_at for use in uses)
        types = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
        core = "http://hl7.org/fhir/us/core/CodeSystem/us-core-provenance-participant-type"
        body: Body = {
            "target": [
                {"reference": piece.key} for piece in sorted(pieces, key=lambda one: (one.type, one.identity))
            ],
            "recorded": recorded.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "agent": [
                {"type": {"coding": [{"system": types, "code": "author"}]}, "who": {"reference": source}},
                {
                    "type": {"coding": [{"system": core, "code": "transmitter"}]},
                    "who": {"reference": f"@org/{HUB}"},
                },
            ],
        }
        told = hashlib.sha256(canonical({"of": body, "uses": sorted(uses)})).hexdigest()[:32]
        return Piece(
            "Provenance", f"@source/{source}", f"{self.view.child_ref}-{told}", body, frozenset(uses),
            (f"{US_CORE}us-core-provenance",),
        )  # fmt: skip

    def _entry(self, piece: Piece, targets: Mapping[str, tuple[str, str]]) -> Body:
        body = resolved(piece.body, piece.type, targets)
        if piece.updates and not self.context.conditional_update:
            piece = replace(
                piece, identity=f"{piece.identity}-{hashlib.sha256(canonical(body)).hexdigest()[:16]}"
            )
        resource: Body = {"resourceType": piece.type, **body, "meta": self._meta(piece)}
        if piece.type != "Provenance":
            own = {"system": self._system(piece), "value": piece.identity}
            resource["identifier"] = [own, *body.get("identifier", ())]
        if text := narrative(resource, self.view.notices if piece.type == "Provenance" else ()):
            resource["text"] = text
        return {
            "fullUrl": targets[piece.key][1],
            "resource": resource,
            "request": self._request(piece),
        }

    def _system(self, piece: Piece) -> str:
        return f"{self.context.system}/{_SYSTEMS.get(piece.type, 'record')}"

    def _request(self, piece: Piece) -> Body:
        """How a destination tells that it has this one already: by our identifier, or where a type has none, by our tag."""
        parameter = "_tag" if piece.type == "Provenance" else "identifier"
        query = f"{parameter}={self._system(piece)}|{quote(piece.identity, safe='')}"
        if piece.updates and self.context.conditional_update:
            return {"method": "PUT", "url": f"{piece.type}?{query}"}
        return {"method": "POST", "url": piece.type, "ifNoneExist": query}

    def _meta(self, piece: Piece) -> Body:
        used = [self.items[use] for use in piece.uses]
        labels = frozenset(label for item in used for label in item.labels)
        regimes = frozenset(regime for item in used for regime in item.regimes)
        meta: Body = {"security": security(labels, frozenset(item.category for item in used), regimes)}
        if piece.profiles:
            meta["profile"] = sorted(piece.profiles)
        tags = (
            [{"system": CODES, "code": "disputed"}]
            if any(i.quality == Quality.DISPUTED for i in used)
            else []
        )
        if piece.type == "Provenance":
            tags.append({"system": self._system(piece), "code": piece.identity})
        return {**meta, "tag": tags} if tags else meta

    def unsent(self, uses: frozenset[str]) -> list[Issue]:
        """An issue for each kind of which something in the view stands in no resource, without saying which."""
        kinds = {item.kind for item in self.view.assertions if item.id not in uses}
        return [
            Issue(
                severity=Severity.INFORMATION,
                code=IssueCode.NO_HOME,
                path=f"view.{kind}",
                text=_NO_HOME[kind],
            )
            for kind in sorted(kinds & _NO_HOME.keys())
        ]


def _named_organizations(node: object) -> set[str]:
    """The organisations that symbolic references name, the hub as an empty key."""
    if isinstance(node, list):
        return set().union(*(_named_organizations(item) for item in node))
    if isinstance(node, dict):
        return set().union(*(_named_organizations(item) for item in node.values()))
    return {node.removeprefix("@org/")} if isinstance(node, str) and node.startswith("@org/") else set()


__all__ = [
    "HUB",
    "MEDIA_TYPE",
    "PATIENT",
    "Context",
    "FhirBundle",
    "ReferralContext",
    "canonical",
    "check_bundle",
    "from_view",
]
