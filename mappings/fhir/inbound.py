"""FHIR R4 from a clinic or provider to facts of the record: the gate, the labels, then the map of the resource's type.

Every map of this folder reads `hub`, which is worked out here: whether the resource passed the gate (`checked`; without it a
map makes nothing), the patient's local id, the topic, and the security labels: those in `meta.security` and those its codes
and words force, since a value's code outranks its field. An unknown label makes the fact very restricted and files it under safety,
the most guarded topic. Received narrative, contained resources and unknown extensions are never kept as facts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mappings.engine.compiled import CompiledMap
from mappings.engine.result import MapResult
from mappings.engine.shipped import shipped_map
from mappings.fhir.bindings import check_bindings
from mappings.fhir.codetable import labels_of_codes, labels_of_words, sdoh_category
from mappings.fhir.element import codings, places
from mappings.fhir.label import labels_read
from mappings.fhir.structure import check_structure
from mappings.record.category import EXTRA_PRIVATE, Category
from mappings.record.issue import Issue, IssueCode, Severity
from mappings.record.plan import Domain
from mappings.record.regime import Regime
from mappings.record.sensitivity import Label

Json = dict[str, Any]

OURS = frozenset({"hub", "connection"})
"""Members the hub adds to a source document; they are no part of the resource."""

DOMAINS = "urn:planhub:domain"
"""The code system of the hub's domains."""

TYPES = ("Patient", "Condition", "Goal", "Observation", "CarePlan", "CareTeam", "Task", "Procedure")

NEVER_KEPT = frozenset({"SS", "PPN", "VS", "PRC", "CZ"})
"""Identifier types (HL7 v2-0203) that never get further than this: social security, passport, visa, resident card, citizenship."""

_TOPIC_OF_NEED: Mapping[str, tuple[Category, Domain]] = {
    "educational-attainment": (Category.SCHOOL, Domain.ACADEMIC),
    "homelessness": (Category.LIVING_SITUATION, Domain.FAMILY),
    "intimate-partner-violence": (Category.SAFETY, Domain.SAFETY),
    "elder-abuse": (Category.SAFETY, Domain.SAFETY),
    "personal-health-literacy": (Category.HEALTH, Domain.HEALTH),
    "health-insurance-coverage-status": (Category.HEALTH, Domain.HEALTH),
    "medical-cost-burden": (Category.HEALTH, Domain.HEALTH),
    "stress": (Category.FEELINGS, Domain.SOCIAL_EMOTIONAL),
    "social-connection": (Category.FEELINGS, Domain.SOCIAL_EMOTIONAL),
}
"""The topic and domain of a Gravity SDOH category; those without a row are home and family."""

_CODED = ("Condition.code", "Goal.description", "Observation.code", "Procedure.code", "ServiceRequest.code")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A resource ready for its map. `source` is None where it was refused; `regimes` are added to what comes of it."""

    source: Json | None
    regimes: frozenset[Regime]
    issues: tuple[Issue, ...]


def prepare(
    document: Mapping[str, Any],
    *,
    system: str,
    topic: Category | None = None,
    procedures: Sequence[Json] = (),
) -> Prepared:
    """The source document of a resource's map.

    `system` is the base URI of the hub's identifiers, by which a Task names our referral. `topic` is the programme's own
    where it has one, or, for a Task or Procedure, that of the referral's need. `procedures` are those a Task names.
    """
    resource = {name: value for name, value in document.items() if name not in OURS}
    issues = gate(resource)
    if issues:
        return Prepared(None, frozenset(), issues)
    labels, regimes, unknown, told = labels_read(resource)
    own, items = _labels(resource)
    filed, domain = _topic(resource, Category.SAFETY if unknown else topic)
    hub: Json = {
        "checked": True,
        "patient": _patient(resource),
        "topic": str(filed),
        "domain": str(domain),
        "labels": sorted(labels | own),
        "referral": _referral(resource, system),
        **_performed(procedures),
    }
    source = _without_never_kept(resource)
    for name, found in items.items():
        source[name] = [
            {**item, "labels": sorted(labels | own | forced)}
            for item, forced in zip(resource[name], found, strict=True)
        ]
    source["hub"] = {name: value for name, value in hub.items() if value}
    if "connection" in document:
        source["connection"] = document["connection"]
    return Prepared(source, regimes, told)


def read(
    document: Mapping[str, Any],
    *,
    system: str,
    topic: Category | None = None,
    procedures: Sequence[Json] = (),
    compiled: CompiledMap | None = None,
) -> MapResult:
    """What the map of the resource's type makes of it (the shipped one where none is given). Never raises on bad data.

    A resource of a type we have no map for, or one that says nothing we keep, gives an issue and no facts.
    """
    prepared = prepare(document, system=system, topic=topic, procedures=procedures)
    if prepared.source is None:
        return MapResult((), prepared.issues, None, {})
    kind = prepared.source["resourceType"]
    if compiled is None and kind not in TYPES:
        return _nothing(prepared.issues, kind, f"there is no map for {kind}; it was set aside")
    result = (compiled or shipped_map(f"planhub/fhir-{kind.lower()}")).run(prepared.source)
    outputs = tuple(one._replace(regimes=one.regimes | prepared.regimes) for one in result.outputs)
    issues = (*prepared.issues, *result.issues)
    if not outputs and not result.refused:
        text = f"nothing in this {kind} is kept as a fact"
        issues = (*issues, _note(Severity.INFORMATION, IssueCode.NOT_MAPPED, kind, text))
    return MapResult(outputs, issues, result.record_id, result.subjects)


def gate(resource: Mapping[str, Any]) -> tuple[Issue, ...]:
    """Why a resource is refused whole: not R4, a code outside its required set, or a modifier nobody here understands.

    A modifier extension or implicit rules may turn what a resource says into its opposite (FHIR R4 §2.5.1.2), so neither
    is ever ignored.
    """
    found = check_structure(resource)
    if found:
        return found
    kind = str(resource["resourceType"])
    modified = list(_modifiers(resource, kind))
    return (*check_bindings(resource), *modified)


def _modifiers(node: Any, path: str) -> Iterator[Issue]:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _modifiers(item, f"{path}.{index}")
    elif isinstance(node, dict):
        for name, value in node.items():
            if name in {"modifierExtension", "implicitRules"}:
                text = "it changes the meaning of what it stands on and is not known here; the resource was refused"
                yield _note(Severity.ERROR, IssueCode.FORBIDDEN, f"{path}.{name}", text)
            elif name != "contained":
                yield from _modifiers(value, f"{path}.{name}")


def _topic(resource: Json, programme: Category | None) -> tuple[Category, Domain]:
    """The programme's own topic where it is extra-private; else that of the social need its code names; else as given.

    The domain is the hub's own coding's where the resource carries one, as what once left a hub does.
    """
    kind = resource["resourceType"]
    coded = [pair for path in (*_CODED, f"{kind}.category") for pair in _coded(resource, path)]
    own = next((Domain(code) for system, code in coded if system == DOMAINS and code in set(Domain)), None)
    need = sdoh_category(coded) if kind not in {"Task", "Procedure"} else None
    if programme in EXTRA_PRIVATE or need in {None, "protective-factor", "sdoh-category-unspecified"}:
        return programme or Category.HEALTH, own or Domain.HEALTH
    topic, domain = _TOPIC_OF_NEED.get(need or "", (Category.HOME, Domain.FAMILY))
    return topic, own or domain


def _coded(resource: Json, path: str) -> Iterator[tuple[str | None, str]]:
    for _, concept in places(resource, path):
        yield from codings(concept)


_ITEMS = {"CareTeam": "participant", "CarePlan": "activity"}
"""Where one resource holds facts about several people or services: what labels the whole labels each, not the other way."""


def _labels(resource: Json) -> tuple[frozenset[Label], dict[str, list[frozenset[Label]]]]:
    """The labels a resource's own codes and words force, and those of each of its items where it has such.

    A Patient has none: its words are names, and who a child is stays identity.
    """
    kind = resource["resourceType"]
    if kind == "Patient":
        return frozenset(), {}
    name = _ITEMS.get(kind)
    listed = resource.get(name) if name else None
    items = {name: [_forced(item) for item in listed]} if name and isinstance(listed, list) else {}
    return _forced({key: value for key, value in resource.items() if key != name}), items


def _forced(node: Any) -> frozenset[Label]:
    return labels_of_codes(_codings_in(node)) | labels_of_words(_words_in(node))


def _codings_in(node: Any) -> Iterator[tuple[str | None, str]]:
    """Every coding, what is contained and the labels themselves left aside."""
    for part in _objects(node):
        if isinstance(code := part.get("code"), str):
            system = part.get("system")
            yield (system if isinstance(system, str) else None), code


_WORDS = frozenset(
    {"text", "display", "title", "description", "valueString", "detailString", "scheduledString"}
)


def _words_in(node: Any) -> Iterator[str]:
    """The words shown beside codes and the texts that stand for them; narrative is an object and not among them."""
    for part in _objects(node):
        yield from (value for name, value in part.items() if name in _WORDS and isinstance(value, str))


def _objects(node: Any) -> Iterator[Json]:
    if isinstance(node, list):
        for item in node:
            yield from _objects(item)
    elif isinstance(node, dict):
        yield node
        for name, value in node.items():
            if name not in {"meta", "contained"}:
                yield from _objects(value)


def _patient(resource: Json) -> str | None:
    """The local id of the patient a resource is about, without its type or server."""
    if resource["resourceType"] == "Patient":
        return resource.get("id")
    for name in ("subject", "for", "patient"):
        reference = resource.get(name)
        target = reference.get("reference") if isinstance(reference, dict) else None
        if isinstance(target, str) and (before := target.split("/_history/")[0]):
            parts = before.split("/")
            return parts[-1] if len(parts) == 1 or parts[-2] == "Patient" else None
    return None


def _referral(resource: Json, system: str) -> str | None:
    """Our reference of the referral a Task or Procedure is about: the identifier we gave it."""
    for _, identifier in places(resource, f"{resource['resourceType']}.identifier"):
        if isinstance(identifier, dict) and identifier.get("system") == f"{system}/referral":
            return identifier.get("value")
    return None


def _performed(procedures: Sequence[Json]) -> Json:
    """When a service was first given, and as what, of the Procedures a Task names that were carried out."""
    given = [
        one
        for one in procedures
        if one.get("status") in {"completed", "in-progress"} and not check_structure(one)
    ]
    days = sorted(filter(None, (_first_day(one) for one in given)))
    coding: Json = next(
        (c for one in given for c in one.get("code", {}).get("coding", []) if c.get("code")), {}
    )
    return {
        "firstServiceOn": days[0] if days else None,
        "performedSystem": coding.get("system"),
        "performedCode": coding.get("code"),
        "performedDisplay": coding.get("display"),
    }


def _first_day(procedure: Json) -> str | None:
    said = procedure.get("performedDateTime") or procedure.get("performedPeriod", {}).get("start")
    return said[:10] if isinstance(said, str) and len(said) >= len("2026-09-01") else None


def _without_never_kept(resource: Json) -> Json:
    """The resource without identifiers that are never kept, and with a Patient's further given names beside the first."""
    source = dict(resource)
    if isinstance(numbers := resource.get("identifier"), list):
        kept = [one for one in numbers if not {code for _, code in codings(one.get("type"))} & NEVER_KEPT]
        source["identifier"] = kept
    if resource["resourceType"] == "Patient" and isinstance(resource.get("name"), list):
        source["name"] = [
            {**name, "middle": " ".join(part for part in name.get("given", ())[1:] if isinstance(part, str))}
            for name in resource["name"]
        ]
    return source


def _nothing(issues: tuple[Issue, ...], kind: str, text: str) -> MapResult:
    return MapResult((), (*issues, _note(Severity.INFORMATION, IssueCode.NOT_MAPPED, kind, text)), None, {})


def _note(severity: Severity, code: IssueCode, path: str, text: str) -> Issue:
    return Issue(severity=severity, code=code, path=path, text=text)
