"""A map's text to its document: header, tables, rules. Shape only; paths and categories are checked in `checking`."""

import re

import yaml

from mappings.engine import expression as ex
from mappings.engine.expression import Mark
from mappings.engine.fault import did_you_mean
from mappings.engine.markup import Faults, compose, literal, mark_of, pairs, sequence, text_of
from mappings.engine.reading import Parts, Reading

HEADER = ("map", "version", "title", "source", "target", "owner")
MEMBERS = (*HEADER, "record_id", "subject", "tables", "rules")
RULE_MEMBERS = (
    "rule", "kind", "category", "category_by", "each", "let", "when", "key", "links", "labels", "method", "regimes",
    "required", "value", "effective",
)  # fmt: skip
TABLE_MEMBERS = ("file", "unmapped", "default", "ignore_case")

_ID = re.compile(r"[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*)+")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_TABLE_FILE = re.compile(r"[a-z0-9][a-z0-9._-]*\.csv")


def parse_document(text: str, faults: Faults) -> ex.Document | None:
    """The document, as far as it could be read; None where it is not a mapping at all. Look at `faults` in any case."""
    root = compose(text, faults)
    if root is None:
        return None
    parts = pairs(root, faults, "the map")
    for name, (mark, _) in parts.items():
        if name not in MEMBERS:
            faults.add(
                mark, f"unknown part {name!r}", "parts of a map are closed", did_you_mean(name, MEMBERS)
            )
    header = {name: _header(name, parts, faults) for name in HEADER}
    source, _, resource = header["source"].partition("/")
    reading = Reading(faults)
    return ex.Document(
        header["map"], header["version"], header["title"], source, resource, header["target"], header["owner"],
        _record_id(parts, faults), _subjects(parts, reading), _tables(parts, faults), _rules(parts, reading),
    )  # fmt: skip


def _header(name: str, parts: Parts, faults: Faults) -> str:
    if name not in parts:
        faults.add(
            Mark(1, 1), f"{name!r} is missing", "every map says what it is", f"Add {name}: at the top."
        )
        return ""
    mark, node = parts[name]
    value = text_of(node, faults, name) or ""
    if name == "map" and not _ID.fullmatch(value):
        faults.add(
            mark, "the id is not owner/name", "ids are lower case with a slash", "Write planhub/edfi-student."
        )
    if name == "version" and not _VERSION.fullmatch(value):
        faults.add(mark, "the version is not a.b.c", "versions are three numbers", "Write 1.0.0.")
    if name == "source" and not all(value.partition("/")):
        faults.add(
            mark,
            "the source is not source/resource",
            "it names a path table's resource",
            "Write edfi/students.",
        )
    return value


def _record_id(parts: Parts, faults: Faults) -> tuple[ex.Read, ...]:
    if "record_id" not in parts:
        return ()
    members = sequence(parts["record_id"][1], faults, "record_id")
    return tuple(ex.Read(mark_of(member), text_of(member, faults, "record_id") or "") for member in members)


def _subjects(parts: Parts, reading: Reading) -> tuple[tuple[str, bool, ex.Expr], ...]:
    if "subject" not in parts:
        return ()
    named = pairs(parts["subject"][1], reading.faults, "subject")
    return tuple(
        (name.removesuffix("?"), name.endswith("?"), reading.expr(node, f"subject {name}"))
        for name, (_, node) in named.items()
    )


def _tables(parts: Parts, faults: Faults) -> tuple[ex.TableUse, ...]:
    if "tables" not in parts:
        return ()
    found = []
    for name, (mark, node) in pairs(parts["tables"][1], faults, "tables").items():
        use = pairs(node, faults, f"table {name}")
        for word, (at, _) in use.items():
            if word not in TABLE_MEMBERS:
                faults.add(
                    at,
                    f"unknown part {word!r}",
                    "parts of a table are closed",
                    did_you_mean(word, TABLE_MEMBERS),
                )
        file = text_of(use["file"][1], faults, "file") if "file" in use else f"{name}.csv"
        unmapped = text_of(use["unmapped"][1], faults, "unmapped") if "unmapped" in use else None
        default = text_of(use["default"][1], faults, "default") if "default" in use else None
        folded = literal(use["ignore_case"][1], faults) if "ignore_case" in use else False
        if unmapped not in {"reject", "default", "pass"}:
            why = "a code the table does not know is never guessed"
            faults.add(
                mark, f"table {name!r} does not say unmapped", why, "Write unmapped: reject, default or pass."
            )
        if (unmapped == "default") != (default is not None):
            faults.add(
                mark, f"table {name!r}: default and unmapped disagree", "one needs the other", "Write both."
            )
        if not _TABLE_FILE.fullmatch(file or ""):
            faults.add(
                mark,
                f"table {name!r} names no crosswalk",
                "tables are CSV files beside the map",
                "Write x.csv.",
            )
        found.append(ex.TableUse(mark, name, file or "", unmapped or "reject", default, folded is True))
    return tuple(found)


def _rules(parts: Parts, reading: Reading) -> tuple[ex.Rule, ...]:
    if "rules" not in parts:
        reading.faults.add(
            Mark(1, 1), "'rules' is missing", "a map without rules makes nothing", "Add rules:."
        )
        return ()
    rules: list[ex.Rule] = []
    names: set[str] = set()
    for node in sequence(parts["rules"][1], reading.faults, "rules"):
        rule = _rule(node, reading, len(rules))
        if rule.name in names:
            step = "Give each rule its own rule: name."
            reading.faults.add(
                rule.mark, f"two rules named {rule.name!r}", "coverage and diffs go by name", step
            )
        names.add(rule.name)
        rules.append(rule)
    return tuple(rules)


def _rule(node: yaml.Node, reading: Reading, number: int) -> ex.Rule:
    faults, mark = reading.faults, mark_of(node)
    parts = pairs(node, faults, "a rule")
    for part, (part_mark, _) in parts.items():
        if part not in RULE_MEMBERS:
            step = did_you_mean(part, RULE_MEMBERS)
            faults.add(part_mark, f"unknown part {part!r}", "parts of a rule are closed", step)
    for needed in ("kind", "value"):
        if needed not in parts:
            faults.add(mark, f"{needed!r} is missing", "a rule says what it makes", f"Add {needed}:.")

    def word(name: str) -> str | None:
        return text_of(parts[name][1], faults, name) if name in parts else None

    def at(name: str) -> Mark:
        return mark_of(parts[name][1]) if name in parts else mark

    def many(name: str) -> list[yaml.Node]:
        return sequence(parts[name][1], faults, name) if name in parts else []

    kind = word("kind") or ""
    return ex.Rule(
        mark=mark,
        name=word("rule") or kind or f"rule {number + 1}",
        kind=kind,
        kind_mark=at("kind"),
        category=word("category"),
        category_mark=at("category"),
        category_by=reading.expr(parts["category_by"][1], "category_by") if "category_by" in parts else None,
        each=ex.Read(at("each"), word("each") or ".") if "each" in parts else None,
        names=reading.named(parts["let"][1]) if "let" in parts else (),
        when=reading.cond(parts["when"][1]) if "when" in parts else None,
        key=reading.expr(parts["key"][1], "key") if "key" in parts else None,
        links=tuple(reading.expr(member, "links") for member in many("links")),
        labels=tuple(_label(member, reading) for member in many("labels")),
        method=word("method"),
        regimes=tuple(text_of(member, faults, "regimes") or "" for member in many("regimes")),
        required=tuple(
            (text_of(member, faults, "required") or "", mark_of(member)) for member in many("required")
        ),
        value=reading.obj(parts["value"][1], "value") if "value" in parts else ex.Obj(mark, ()),
        effective=reading.obj(parts["effective"][1], "effective") if "effective" in parts else None,
    )


def _label(node: yaml.Node, reading: Reading) -> ex.Expr:
    """A bare word among labels is the label itself, since no source path is a security label."""
    if isinstance(node, yaml.ScalarNode):
        return ex.Const(mark_of(node), node.value.strip())
    return reading.expr(node, "labels")
