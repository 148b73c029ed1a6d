"""The maps that come with the product, read from package data.

A map stands in `mappings/<folder>/<name>/map.yaml`; its path table and crosswalks stand in its folder. Only package data is
read here, once; at run time the table `map_version` is the source (ARCHITECTURE §5).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from mappings.engine.compiled import Compilation, CompiledMap, compile_map
from mappings.engine.paths import PathTable, parse_paths
from mappings.engine.record_target import record_targets

FOLDERS = ("edfi", "oneroster", "community", "fhir")


@dataclass(frozen=True, slots=True)
class MapFiles:
    """Everything a map is made of, as text."""

    folder: str
    name: str
    map_text: str
    paths_text: str
    crosswalks: Mapping[str, str]
    samples: Mapping[str, str]
    expected: Mapping[str, str]

    def compile(self) -> Compilation:
        """Compile it against its folder's path table; faults of the path table come first."""
        table, errors = parse_paths(self.paths_text, f"mappings/{self.folder}/paths.csv")
        if errors:
            return Compilation(None, errors)
        return compile_map(
            self.map_text,
            paths=table,
            crosswalks=self.crosswalks,
            targets={"record": record_targets()},
            file=f"mappings/{self.folder}/{self.name}/map.yaml",
        )


def _texts(folder: Traversable, suffix: str) -> dict[str, str]:
    if not folder.is_dir():
        return {}
    found = [entry for entry in folder.iterdir() if entry.name.endswith(suffix)]
    return {entry.name: entry.read_text("utf-8") for entry in sorted(found, key=lambda entry: entry.name)}


@cache
def shipped_files() -> tuple[MapFiles, ...]:
    """All shipped maps as files, in the order of folder and name."""
    found: list[MapFiles] = []
    for folder in FOLDERS:
        root = files("mappings") / folder
        crosswalks = _texts(root / "crosswalks", ".csv")
        for entry in sorted(root.iterdir(), key=lambda one: one.name):
            if not entry.is_dir() or not (entry / "map.yaml").is_file():
                continue
            found.append(
                MapFiles(
                    folder,
                    entry.name,
                    (entry / "map.yaml").read_text("utf-8"),
                    (root / "paths.csv").read_text("utf-8"),
                    crosswalks,
                    _texts(entry / "samples", ".json"),
                    _texts(entry / "expected", ".json"),
                )
            )
    return tuple(found)


@cache
def shipped_maps() -> Mapping[str, CompiledMap]:
    """All shipped maps, compiled, by id. A shipped map with a fault is a bug of ours and raises ValueError naming it."""
    maps: dict[str, CompiledMap] = {}
    for one in shipped_files():
        compilation = one.compile()
        if compilation.map is None:
            msg = "\n".join(str(error) for error in compilation.errors)
            raise ValueError(msg)
        maps[compilation.map.id] = compilation.map
    return maps


def shipped_map(map_id: str) -> CompiledMap:
    """One shipped map by id (`planhub/edfi-student`); KeyError where there is none."""
    return shipped_maps()[map_id]


def path_table(folder: str) -> PathTable:
    """The path table of a folder of shipped maps."""
    table, errors = parse_paths(
        (files("mappings") / folder / "paths.csv").read_text("utf-8"), f"mappings/{folder}/paths.csv"
    )
    if errors:
        msg = "\n".join(str(error) for error in errors)
        raise ValueError(msg)
    return table
