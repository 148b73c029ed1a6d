"""A map's text to something that runs, or to the full list of what is wrong with it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mappings.engine import expression as ex
from mappings.engine.checking import Checker, Scope
from mappings.engine.crosswalk import Crosswalk, parse_crosswalk
from mappings.engine.document import parse_document
from mappings.engine.fault import MapError, did_you_mean
from mappings.engine.feeds import TargetShape
from mappings.engine.growth import MAX_COPIES, copies
from mappings.engine.markup import Faults
from mappings.engine.paths import PathNode, PathTable
from mappings.engine.program import Program, write_program
from mappings.engine.result import MapResult
from mappings.engine.rulecheck import CheckedRule, check_rule
from mappings.engine.runtime import Issues
from mappings.record.issue import Issue, IssueCode, Severity

MAX_SOURCE = 2 * 1024 * 1024
MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class CompiledMap:
    """A map ready to run. Pure and safe to share between threads: it holds no state of a run.

    `reads` are the leaf paths of the source it can look at, exactly: no other leaf can change a result. `loops` are the
    arrays and groups whose mere presence it can notice. `content_hash` covers the map, its crosswalks and its path table.
    """

    document: ex.Document
    rules: tuple[CheckedRule, ...]
    tables: Mapping[str, tuple[ex.TableUse, Crosswalk]]
    paths: PathNode
    reads: frozenset[str]
    loops: frozenset[str]
    content_hash: str
    program: Program

    @property
    def id(self) -> str:
        """`owner/name`."""
        return self.document.id

    @property
    def version(self) -> str:
        """Three numbers."""
        return self.document.version

    def run(self, source: Any) -> MapResult:
        """Map one document (plain JSON values). Never raises on bad data: what could not be used is an issue."""
        issues = Issues()
        if source.__class__ is not dict:
            return _refusal(
                IssueCode.BAD_VALUE, "the document is not a JSON object. Send one object per document."
            )
        record_id, subjects = self.program.keys(source, issues)
        if record_id is None:
            return MapResult((), tuple(issues), None, subjects)
        outputs: list[Any] = []
        for rule in self.program.rules:
            rule(source, outputs, issues)
        return MapResult(tuple(outputs), tuple(issues), record_id, subjects)

    def run_text(self, raw: bytes | str) -> MapResult:
        """Map one document from JSON text of at most 2 MiB, nested at most 64 deep."""
        if len(raw) > MAX_SOURCE:
            return _refusal(IssueCode.TOO_LARGE, "the document is larger than 2 MiB. Send it in parts.")
        try:
            source = json.loads(raw)
        except RecursionError:
            return _refusal(IssueCode.TOO_DEEP, f"the document nests deeper than {MAX_DEPTH}. Flatten it.")
        except UnicodeDecodeError:
            return _refusal(IssueCode.BAD_ENCODING, "the document is not UTF-8. Save it as UTF-8.")
        except ValueError:
            return _refusal(IssueCode.BAD_ENCODING, "the document is not JSON. Check what wrote it.")
        if _deeper_than(source, MAX_DEPTH):
            return _refusal(IssueCode.TOO_DEEP, f"the document nests deeper than {MAX_DEPTH}. Flatten it.")
        return self.run(source)


@dataclass(frozen=True, slots=True)
class Compilation:
    """Either a map that runs or every fault found, in the order of the file; never both."""

    map: CompiledMap | None
    errors: tuple[MapError, ...]


def compile_map(
    text: str,
    *,
    paths: PathTable,
    crosswalks: Mapping[str, str],
    targets: Mapping[str, Mapping[str, TargetShape]] | None = None,
    file: str = "map.yaml",
) -> Compilation:
    """Compile a map.

    `paths` is the parsed table of its source, `crosswalks` the CSV texts by file name, `targets` the shapes of what may be
    made, by target and kind; a target that is not among them is not checked.
    """
    faults = Faults(file)
    document = parse_document(text, faults)
    if document is None:
        return Compilation(None, tuple(faults.errors))
    tables = _tables(document, crosswalks, faults)
    top = paths.resources.get(document.resource)
    if top is None:
        mark = ex.Mark(1, 1)
        step = did_you_mean(document.resource, paths.resources)
        faults.add(mark, f"unknown resource {document.resource!r}", f"{paths.file} does not hold it", step)
        return Compilation(None, _ordered(faults))
    checker = Checker(faults, tables)
    shapes = (targets or {}).get(document.target)
    for read in (*document.record_id, *(subject for _, _, subject in document.subjects)):
        if copies(read, {}) > MAX_COPIES:
            faults.add(read.mark, "a key repeats itself", "it names a document", "Use each name fewer times.")
        else:
            checker.expr(read, Scope(top, top, {}))
    rules = tuple(check_rule(rule, checker, top, shapes, inbound=document.inbound) for rule in document.rules)
    for name in sorted(tables.keys() - checker.used_tables):
        faults.add(
            tables[name][0].mark, f"table {name!r} is not used", "no rule looks it up", "Use it or remove it."
        )
    if faults.errors:
        return Compilation(None, _ordered(faults))
    program = write_program(document, rules, checker, tables, top, shapes)
    compiled = CompiledMap(
        document, rules, tables, top, frozenset(checker.leaf_reads), frozenset(checker.loops),
        content_hash(text, paths.text, {use.file: crosswalks[use.file] for use in document.tables}), program,
    )  # fmt: skip
    return Compilation(compiled, ())


def content_hash(map_text: str, paths_text: str, crosswalks: Mapping[str, str]) -> str:
    """SHA-256, hexadecimal, over the map, the path table and the crosswalks it names; each part with its length."""
    digest = hashlib.sha256()
    for part in (
        map_text,
        paths_text,
        *(piece for name in sorted(crosswalks) for piece in (name, crosswalks[name])),
    ):
        raw = part.replace("\r\n", "\n").encode()
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()


def _tables(
    document: ex.Document, crosswalks: Mapping[str, str], faults: Faults
) -> dict[str, tuple[ex.TableUse, Crosswalk]]:
    tables: dict[str, tuple[ex.TableUse, Crosswalk]] = {}
    for use in document.tables:
        text = crosswalks.get(use.file)
        if text is None:
            step = did_you_mean(use.file, crosswalks)
            faults.add(
                use.mark, f"there is no crosswalk {use.file!r}", "tables are files beside the map", step
            )
            tables[use.name] = (use, Crosswalk(use.file, (), use.ignore_case, {}))
            continue
        table, errors = parse_crosswalk(text, use.file, ignore_case=use.ignore_case)
        faults.errors.extend(errors)
        tables[use.name] = (use, table)
    return tables


def _ordered(faults: Faults) -> tuple[MapError, ...]:
    def place(error: MapError) -> tuple[bool, str, int, int]:
        return (error.file != faults.file, error.file, error.line, error.column)

    return tuple(sorted(dict.fromkeys(faults.errors), key=place))


def _refusal(code: IssueCode, text: str) -> MapResult:
    return MapResult((), (Issue(severity=Severity.ERROR, code=code, path="", text=text),), None, {})


def _deeper_than(source: Any, limit: int) -> bool:
    """Whether JSON nests deeper than the limit; level by level, without recursion."""
    level: list[Any] = [source]
    for _ in range(limit):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(member for member in value.values() if isinstance(member, dict | list))
            elif isinstance(value, list):
                below.extend(member for member in value if isinstance(member, dict | list))
        if not below:
            return False
        level = below
    return True
