"""The small rule table of the US Core 7.0.0 and Gravity SDOH Clinical Care 3.0.0 profiles we claim.

`profiles.csv` has one row per rule: the profile's name, the element, the rule, its argument and its source. Rules:
`required` (wherever the parent stands), `absent`, `at-least`/`at-most` (how many), `codes` (a code is one of these),
`coding` (at least one coding is one of these `system|code`), `system` (at least one coding is of one of these systems: what
can be said of a value set whose terminology is not ours to ship), `refers` (a reference's target type) and `invariant` (a
named function below). The HL7 validator is the oracle; this table is what runs at every delivery.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from mappings.fhir.element import Json, codings, places
from mappings.record.issue import Issue, IssueCode, Severity

COLUMNS = ("profile", "path", "rule", "argument", "source")
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
GRAVITY = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/"

ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
WHOLE_DAY = len("2026-09-01")


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table."""

    path: str
    rule: str
    argument: str
    source: str


def _has(node: Any, *names: str) -> bool:
    return isinstance(node, dict) and any(node.get(name) for name in names)


def _starts(node: Any, stem: str) -> bool:
    return isinstance(node, dict) and any(name.startswith(stem) for name in node)


def _condition_states(node: Json) -> bool:
    """con-5: entered-in-error has no clinicalStatus; con-4: an abatement means inactive, remission or resolved."""
    verification = {code for _, code in codings(node.get("verificationStatus"))}
    clinical = {code for _, code in codings(node.get("clinicalStatus"))}
    if "entered-in-error" in verification:
        return not clinical
    return bool(clinical & {"inactive", "resolved", "remission"}) or not _starts(node, "abatement")


def _performed(node: Json) -> bool:
    return node.get("status") not in {"completed", "in-progress"} or _starts(node, "performed")


def _extended(node: Json, url: str) -> int:
    """How often the extension `url` stands on the node."""
    extensions = node.get("extension")
    listed = extensions if isinstance(extensions, list) else []
    return sum(1 for one in listed if isinstance(one, dict) and one.get("url") == url)


def _one_asserter(node: Json) -> bool:
    by_device = _extended(node, f"{GRAVITY}SDOHCC-ExtensionConditionAsserter")
    return by_device + bool(node.get("asserter")) <= 1


def _activity_is_procedure(node: Json) -> bool:
    if "resulting-activity" not in {code for _, code in codings(node.get("type"))}:
        return True
    target = node.get("valueReference")
    return "valueCodeableConcept" in node or (
        isinstance(target, dict) and target_type(target, {}) in {None, "Procedure"}
    )


INVARIANTS: Mapping[str, Callable[[Any], bool]] = {
    "name-said": lambda node: _has(node, "family", "given") != bool(_extended(node, ABSENT)),
    "named-or-related": lambda node: _has(node, "name", "relationship"),
    "answered": lambda node: (
        _has(node, "component", "hasMember", "dataAbsentReason") or _starts(node, "value")
    ),
    "whole-day": lambda node: isinstance(node, str) and len(node) >= WHOLE_DAY,
    "performed": _performed,
    "on-behalf-of": lambda node: (
        _has(node, "onBehalfOf") or target_type(node.get("who"), {}) not in {"Practitioner", "Device"}
    ),
    "one-asserter": _one_asserter,
    "con-3": _condition_states,
    "activity-is-procedure": _activity_is_procedure,
}


def target_type(reference: Any, types: Mapping[str, str]) -> str | None:
    """The type a Reference names: by `types` (fullUrl → type), by its text `Type/id`, or by `type`; None where none says."""
    if not isinstance(reference, dict):
        return None
    target = reference.get("reference")
    if isinstance(target, str):
        if target in types:
            return types[target]
        parts = target.split("/_history/")[0].split("/")
        if len(parts) > 1 and parts[-2][:1].isupper() and parts[-2].isalpha():
            return parts[-2]
    named = reference.get("type")
    return named if isinstance(named, str) else None


Broken = Iterator[tuple[str, str]]
Types = Mapping[str, str]


def _parents(resource: Json, path: str) -> Iterator[tuple[str, Any]]:
    """Where the element at `path` could stand, with what stands there, None included."""
    parent, _, name = path.rpartition(".")
    for where, node in places(resource, parent):
        if isinstance(node, dict):
            yield f"{where}.{name}", node.get(name)


def _required(resource: Json, rule: Rule, _: Types) -> Broken:
    for where, value in _parents(resource, rule.path):
        if value is None or value == []:
            yield where, "the profile requires this element"


def _absent(resource: Json, rule: Rule, _: Types) -> Broken:
    for where, _value in places(resource, rule.path):
        yield where, "the profile does not allow this element"


def _counted(resource: Json, rule: Rule, _: Types) -> Broken:
    limit, sign = int(rule.argument), 1 if rule.rule == "at-least" else -1
    for where, value in _parents(resource, rule.path):
        count = len(value) if isinstance(value, list) else int(value is not None)
        if (limit - count) * sign > 0:
            yield where, f"the profile wants {rule.rule.replace('-', ' ')} {limit}"


def _codes(resource: Json, rule: Rule, _: Types) -> Broken:
    wanted = rule.argument.split(" ")
    for where, value in places(resource, rule.path):
        if value not in wanted:
            yield where, f"the profile allows only {', '.join(wanted)}"


def _coded(resource: Json, rule: Rule, _: Types) -> Broken:
    wanted = rule.argument.split(" ")
    for where, value in _parents(resource, rule.path):
        given = {f"{system}|{code}" if rule.rule == "coding" else system for system, code in codings(value)}
        if not given.intersection(wanted):
            yield where, f"the profile wants a coding of {', '.join(wanted)}"


def _refers(resource: Json, rule: Rule, types: Types) -> Broken:
    wanted = rule.argument.split(" ")
    for where, value in places(resource, rule.path):
        kind = target_type(value, types)
        if kind is not None and kind not in wanted:
            yield where, f"the profile lets this refer only to {', '.join(wanted)}"


def _invariant(resource: Json, rule: Rule, _: Types) -> Broken:
    for where, value in places(resource, rule.path):
        if isinstance(value, dict | str) and not INVARIANTS[rule.argument](value):
            yield where, f"the profile's invariant {rule.argument} does not hold"


RULES: Mapping[str, tuple[IssueCode, Callable[[Json, Rule, Types], Broken]]] = {
    "required": (IssueCode.REQUIRED, _required),
    "absent": (IssueCode.FORBIDDEN, _absent),
    "at-least": (IssueCode.REQUIRED, _counted),
    "at-most": (IssueCode.FORBIDDEN, _counted),
    "codes": (IssueCode.UNKNOWN_CODE, _codes),
    "coding": (IssueCode.UNKNOWN_CODE, _coded),
    "system": (IssueCode.UNKNOWN_CODE, _coded),
    "refers": (IssueCode.BAD_VALUE, _refers),
    "invariant": (IssueCode.BAD_VALUE, _invariant),
}


def parse_profiles(text: str) -> dict[str, tuple[Rule, ...]]:
    """The table by profile URL; ValueError where a row is wrong."""
    rows = csv.DictReader(io.StringIO(text), strict=True)
    if tuple(rows.fieldnames or ()) != COLUMNS:
        msg = f"profiles.csv: the header is not {','.join(COLUMNS)}"
        raise ValueError(msg)
    table: dict[str, tuple[Rule, ...]] = {}
    for row in rows:
        known = row["rule"] in RULES and (row["rule"] != "invariant" or row["argument"] in INVARIANTS)
        if not known or not row["source"]:
            msg = f"profiles.csv:{rows.line_num}: an unknown rule or invariant, or no source"
            raise ValueError(msg)
        url = (GRAVITY if row["profile"].startswith("SDOHCC") else US_CORE) + row["profile"]
        rule = Rule(row["path"], row["rule"], row["argument"], row["source"])
        table[url] = (*table.get(url, ()), rule)
    return table


@cache
def profiles() -> Mapping[str, tuple[Rule, ...]]:
    """The shipped table."""
    return parse_profiles(files("mappings.fhir").joinpath("profiles.csv").read_text(encoding="utf-8"))


def claimed(resource: Json) -> Iterator[str]:
    """The profiles in `meta.profile`, without a version."""
    meta = resource.get("meta")
    for url in meta.get("profile") or () if isinstance(meta, dict) else ():
        if isinstance(url, str):
            yield url.partition("|")[0]


def check_profiles(
    resource: Json,
    *,
    urls: tuple[str, ...] | None = None,
    types: Mapping[str, str] | None = None,
    path: str | None = None,
) -> tuple[Issue, ...]:
    """Issues of the profiles a resource claims, or of `urls`; profiles that are not in the table are not judged.

    `types` gives the types of resources in the same Bundle by fullUrl. Texts never quote a value.
    """
    kind = str(resource.get("resourceType"))
    found = []
    for url in claimed(resource) if urls is None else urls:
        for rule in profiles().get(url, ()):
            code, broken = RULES[rule.rule]
            for where, text in broken(resource, rule, types or {}):
                place = where if path is None else path + where[len(kind) :]
                issue = Issue(severity=Severity.ERROR, code=code, path=place, text=f"{text} ({rule.source})")
                found.append(issue)
    return tuple(dict.fromkeys(found))
