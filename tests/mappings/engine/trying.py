"""Small maps for tests: one path table that has a bit of everything, and a way to compile rules against it."""

from textwrap import dedent, indent
from typing import Any

from mappings.engine.compiled import Compilation, CompiledMap, compile_map
from mappings.engine.paths import PathTable, parse_paths
from mappings.engine.result import MapResult

PATHS = """\
path,type,list,category,note
pupils.id,text,,identity,
pupils.name,text,,identity,
pupils.other,text,,identity,
pupils.born,date,,identity,
pupils.year,integer,,identity,
pupils.weight,number,,health,
pupils.glad,boolean,,feelings,
pupils.house,object,,,
pupils.house.street,text,,identity,
pupils.house.owner,text,,home,
pupils.nicknames,text,yes,identity,
pupils.phones,object,yes,,
pupils.phones.number,text,,identity,
pupils.phones.kind,text,,identity,
pupils.phones.uses,object,yes,,
pupils.phones.uses.use,text,,identity,
pupils.illness,text,,health,
pupils.incidents,object,yes,,
pupils.incidents.what,text,,discipline,
pupils.incidents.when,date,,discipline,
pupils.shelter,text,,living-situation,
pupils.note,text,,*,
pupils.topic,text,,*,
pupils.unclassified,text,,,nobody has looked yet
pupils.visa,text,,never,never-keep list
"""

TABLES = {
    "kind.csv": "source_code,target_code,equivalence,preferred,comment\nHome,home,equivalent,,\nMobile,mobile,equivalent,yes,\nCell,mobile,wider,,\nFax,,unmatched,,not a way to reach anyone\n",
    "topic.csv": "source_code,target_code,equivalence,preferred,comment\nbody,health,equivalent,,\nclass,school,equivalent,,\n",
    "label.csv": "source_code,target_code,equivalence,preferred,comment\nflu,R,equivalent,,\npsychosis,PSY,equivalent,,\n",
}

HEAD = """\
map: planhub/trying
version: 1.0.0
title: for tests
source: school/pupils
target: {target}
owner: planhub
record_id: id
subject: {{student: id}}
"""


def table(text: str = PATHS) -> PathTable:
    """A path table that must parse."""
    parsed, errors = parse_paths(text, "paths.csv")
    assert not errors, errors
    return parsed


def attempt(
    rules: str, *, tables: str = "", target: str = "record", paths: PathTable | None = None, **more
) -> Compilation:
    """Compile rules (YAML list items) into a whole map; the map may have faults."""
    text = HEAD.format(target=target)
    if tables:
        text += f"tables:\n{indent(dedent(tables), '  ')}\n"
    text += f"rules:\n{indent(dedent(rules), '  ')}\n"
    return compile_map(text, paths=paths or table(), crosswalks=TABLES, **more)


def compiled(rules: str, **more: Any) -> CompiledMap:
    """Compile rules that must be right."""
    compilation = attempt(rules, **more)
    assert compilation.map is not None, "\n".join(map(str, compilation.errors))
    return compilation.map


def faults(rules: str, **more: Any) -> list[str]:
    """What is wrong, as text."""
    compilation = attempt(rules, **more)
    assert compilation.map is None
    return [str(error) for error in compilation.errors]


def one(value: str, document: dict[str, Any], *, category: str = "safety", **more: Any) -> object:
    """What one value expression makes of a document, under an ordinary rule."""
    rule = f"- kind: thing\n  category: {category}\n  value:\n    id: id\n    made: {value}\n"
    outputs = compiled(rule, **more).run({"id": "1", **document}).outputs
    return outputs[0].value.get("made") if outputs else None


def issues(result: MapResult) -> list[tuple[str, str]]:
    """Code and path of each issue."""
    return [(issue.code.value, issue.path) for issue in result.issues]
