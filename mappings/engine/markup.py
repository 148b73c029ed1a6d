"""YAML as a tree with lines and columns; no tags, no aliases, no duplicate keys, no deep nesting."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from mappings.engine.expression import Mark
from mappings.engine.fault import MapError

MAX_TEXT = 256 * 1024
MAX_NESTING = 40


class Faults:
    """Collects the faults of one file, so that all of them are shown at once."""

    def __init__(self, file: str) -> None:
        """Start with none."""
        self.file = file
        self.errors: list[MapError] = []

    def add(self, mark: Mark, what: str, why: str, next_step: str) -> None:
        """Note one."""
        self.errors.append(MapError(self.file, mark.line, mark.column, what, why, next_step))


def mark_of(node: yaml.Node) -> Mark:
    """Where a node starts, from 1."""
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


def _event_fault(text: str, faults: Faults) -> bool:
    """Refuse what would make the tree unbounded or surprising, from the event stream, before composing it."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        at = event.start_mark
        here = Mark(at.line + 1, at.column + 1) if at else Mark(1, 1)
        if isinstance(event, yaml.AliasEvent):
            faults.add(
                here,
                "an alias (*name)",
                "a map is read top to bottom, without references",
                "Repeat the part.",
            )
            return True
        if isinstance(event, yaml.NodeEvent) and getattr(event, "tag", None) is not None:
            faults.add(here, f"a tag ({event.tag})", "a map is plain YAML", "Remove the tag.")  # type: ignore[attr-defined] # scalar and collection starts have it
            return True
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_NESTING:
            faults.add(
                here,
                "nested too deep",
                f"a map nests at most {MAX_NESTING} levels",
                "Use let to name a part.",
            )
            return True
    return False


def compose(text: str, faults: Faults) -> yaml.MappingNode | None:
    """The document's mapping node, or None with the fault noted."""
    top = Mark(1, 1)
    if len(text) > MAX_TEXT:
        faults.add(
            top, "the map is too large", f"a map has at most {MAX_TEXT} characters", "Split it by resource."
        )
        return None
    try:
        if _event_fault(text, faults):
            return None
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        mark = Mark(at.line + 1, at.column + 1) if at else top
        faults.add(
            mark,
            "this is not YAML",
            error.problem or "the parser gave up",
            "Check indentation and quotes here.",
        )
        return None
    except (yaml.YAMLError, ValueError) as error:
        faults.add(top, "this is not YAML", type(error).__name__, "Save the file as UTF-8 text.")
        return None
    if not isinstance(node, yaml.MappingNode):
        faults.add(
            top,
            "this is not a map",
            "a map is a list of `name: value` lines",
            "Start with `map: owner/name`.",
        )
        return None
    return node


def pairs(node: yaml.Node, faults: Faults, what: str) -> dict[str, tuple[Mark, yaml.Node]]:
    """Members of a mapping by key with the mark of the key; a list or text in its place is a fault."""
    if not isinstance(node, yaml.MappingNode):
        faults.add(
            mark_of(node),
            f"{what} is not a mapping",
            "it has named parts",
            "Write `name: value` lines under it.",
        )
        return {}
    found: dict[str, tuple[Mark, yaml.Node]] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            faults.add(
                mark_of(key), "a name that is not text", "names are single words", "Write a plain name."
            )
        elif key.value in found:
            faults.add(
                mark_of(key), f"{key.value!r} stands twice", "only one would count", "Remove one of them."
            )
        else:
            found[key.value] = (mark_of(key), value)
    return found


def sequence(node: yaml.Node, faults: Faults, what: str) -> list[yaml.Node]:
    """Members of a list; a single value counts as a list of one, a mapping is a fault."""
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if isinstance(node, yaml.ScalarNode):
        return [node]
    faults.add(
        mark_of(node), f"{what} is not a list", "it has several parts", "Write `- part` lines under it."
    )
    return []


def text_of(node: yaml.Node, faults: Faults, what: str) -> str | None:
    """A scalar's text as written (`1.10` stays `1.10`), or None with the fault noted."""
    if isinstance(node, yaml.ScalarNode) and node.value.strip():
        return str(node.value).strip()
    faults.add(
        mark_of(node), f"{what} is missing", "it is one word or line of text", "Write it after the colon."
    )
    return None


_SCALARS: Mapping[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:bool": lambda word: word.lower() in {"true", "yes", "on"},
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": lambda word: float(word.lower().replace(".nan", "nan").replace(".inf", "inf")),
    "tag:yaml.org,2002:null": lambda _: None,
}


def literal(node: yaml.Node, faults: Faults) -> Any:
    """A constant: text, whole number, decimal, yes/no, or lists and mappings of them."""
    if isinstance(node, yaml.SequenceNode):
        return [literal(member, faults) for member in node.value]
    if isinstance(node, yaml.MappingNode):
        return {
            name: literal(value, faults) for name, (_, value) in pairs(node, faults, "the constant").items()
        }
    try:
        value = _SCALARS.get(str(node.tag), str)(node.value)
    except ValueError:  # 0x1F and 1_000 are numbers to YAML and text to us
        return str(node.value)
    if isinstance(value, float) and not math.isfinite(value):
        step = "Quote it if it is text."
        faults.add(mark_of(node), "a number without a value", "JSON has no such number", step)
        return None
    return value
