"""Required code bindings of FHIR R4, which `fhir.resources` does not check, and the small code systems we send.

`bindings.csv` has one row per element and code system: the element's path and type, the system (empty for a plain code,
which has none), the codes, and the page of the FHIR R4 specification that lists them (`hl7.org/fhir/R4/<page>.html`). It
covers the resources we read and send, their Identifier, HumanName, ContactPoint, Address, Quantity and Timing elements
included; typed `Task.input` and `Task.output` values beyond references and codes are not covered, since we read none.

`vocabulary.csv` (`system,codes,source`) lists the codes of small systems: our own, and those of guides whose terminology a
validator may not have. A coding in one of them must be one of its codes.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from mappings.fhir.element import Json, codings, places
from mappings.record.issue import Issue, IssueCode, Severity

COLUMNS = ("path", "type", "system", "codes", "page")


@dataclass(frozen=True, slots=True)
class Binding:
    """One bound element. `codes` are (system, code) pairs; the system is None for a plain code."""

    path: str
    codes: frozenset[tuple[str | None, str]]
    page: str
    is_plain: bool


def parse_bindings(text: str) -> tuple[Binding, ...]:
    """The table; ValueError where it is not one. Rows of one path are one binding with several systems."""
    rows = csv.DictReader(io.StringIO(text), strict=True)
    if tuple(rows.fieldnames or ()) != COLUMNS:
        msg = f"bindings.csv: the header is not {','.join(COLUMNS)}"
        raise ValueError(msg)
    bound: dict[str, Binding] = {}
    for row in rows:
        plain = row["type"] == "code"
        if plain == bool(row["system"]) or not row["codes"] or not row["page"]:
            msg = f"bindings.csv:{rows.line_num}: a code has no system, a CodeableConcept has one, and both have codes and a page"
            raise ValueError(msg)
        codes = frozenset((None if plain else row["system"], code) for code in row["codes"].split(" "))
        before = bound.get(row["path"])
        bound[row["path"]] = Binding(
            row["path"], codes | (before.codes if before else frozenset()), row["page"], plain
        )
    return tuple(bound.values())


@cache
def bindings() -> Mapping[str, tuple[Binding, ...]]:
    """The shipped table by resource type."""
    text = files("mappings.fhir").joinpath("bindings.csv").read_text(encoding="utf-8")
    by_type: dict[str, tuple[Binding, ...]] = {}
    for binding in parse_bindings(text):
        of = binding.path.partition(".")[0]
        by_type[of] = (*by_type.get(of, ()), binding)
    return by_type


def check_bindings(resource: Json, *, path: str | None = None) -> tuple[Issue, ...]:
    """An issue for each element whose code is not in its required value set; texts never quote the code found.

    A CodeableConcept is in its set where one of its codings is; one with text alone is not (FHIR R4, terminologies §4.1.5).
    """
    kind = str(resource.get("resourceType"))
    found = []
    for binding in bindings().get(kind, ()):
        for where, value in places(resource, binding.path):
            given = (
                set(codings(value))
                if not binding.is_plain
                else {(None, value)}
                if isinstance(value, str)
                else set()
            )
            if not given & binding.codes:
                text = f"the code is not in the required value set (hl7.org/fhir/R4/{binding.page}.html)"
                place = where if path is None else path + where[len(kind) :]
                found.append(
                    Issue(severity=Severity.ERROR, code=IssueCode.UNKNOWN_CODE, path=place, text=text)
                )
    return tuple(found)


def parse_vocabulary(text: str) -> dict[str, frozenset[str]]:
    """Codes by system; ValueError where the table is not one."""
    rows = csv.DictReader(io.StringIO(text), strict=True)
    if tuple(rows.fieldnames or ()) != ("system", "codes", "source"):
        msg = "vocabulary.csv: the header is not system,codes,source"
        raise ValueError(msg)
    table: dict[str, frozenset[str]] = {}
    for row in rows:
        if row["system"] in table or not row["codes"] or not row["source"]:
            msg = f"vocabulary.csv:{rows.line_num}: a system stands twice, or has no codes or no source"
            raise ValueError(msg)
        table[row["system"]] = frozenset(row["codes"].split(" "))
    return table


@cache
def vocabulary() -> Mapping[str, frozenset[str]]:
    """The shipped table."""
    return parse_vocabulary(files("mappings.fhir").joinpath("vocabulary.csv").read_text(encoding="utf-8"))


def check_vocabulary(resource: Json, *, path: str | None = None) -> tuple[Issue, ...]:
    """An issue for each coding that is not one of its system's codes, for the systems of the table."""
    start = path or str(resource.get("resourceType"))
    return tuple(_unknown_codings(resource, start))


def _unknown_codings(node: object, path: str) -> Iterator[Issue]:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _unknown_codings(item, f"{path}.{index}")
    elif isinstance(node, dict):
        known = vocabulary().get(str(node.get("system")))
        if known and isinstance(node.get("code"), str) and node["code"] not in known:
            text = "the code is not one of its system's (mappings/fhir/vocabulary.csv)"
            yield Issue(severity=Severity.ERROR, code=IssueCode.UNKNOWN_CODE, path=path, text=text)
        for name, value in node.items():
            yield from _unknown_codings(value, f"{path}.{name}")
