"""A map folder on disk: `map.yaml`, `samples/`, `expected/`, and beside or inside it `paths.csv` and `crosswalks/`.

A folder without a path table of its own uses the one shipped for its source.
"""

import re
from pathlib import Path

from mappings.engine.shipped import MapFiles, shipped_files


class MapFolderError(ValueError):
    """The folder is not a map; the text says what is missing."""


def read_map_folder(folder: Path) -> MapFiles:
    """The folder's files as text."""
    try:
        text = (folder / "map.yaml").read_text(encoding="utf-8")
        source = re.search(r"^source:\s*([a-z0-9-]+)", text, re.MULTILINE)
        if source is None:
            raise MapFolderError(f"{folder}/map.yaml has no line `source: folder/resource`")
        shipped = {files.folder: files for files in shipped_files()}.get(source.group(1))
        paths = next((p for p in (folder / "paths.csv", folder.parent / "paths.csv") if p.is_file()), None)
        if paths is None and shipped is None:
            raise MapFolderError(
                f"there is no paths.csv in {folder}, and none is shipped for {source.group(1)}"
            )
        tables = next((p for p in (folder / "crosswalks", folder.parent / "crosswalks") if p.is_dir()), None)
        return MapFiles(
            folder=source.group(1),
            name=folder.name,
            map_text=text,
            paths_text=paths.read_text(encoding="utf-8") if paths else shipped.paths_text if shipped else "",
            crosswalks=(dict(shipped.crosswalks) if shipped else {}) | _texts(tables, ".csv"),
            samples=_texts(folder / "samples", ".json"),
            expected=_texts(folder / "expected", ".json"),
        )
    except OSError as error:
        raise MapFolderError(f"{error.filename}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise MapFolderError(f"a file in {folder} is not UTF-8") from None


def write_map_folder(folder: Path, files: MapFiles, map_text: str) -> None:
    """Write a map with its samples, expectations and crosswalks; the path table stays the shipped one."""
    parts = {
        "": {"map.yaml": map_text},
        "samples": files.samples,
        "expected": files.expected,
        "crosswalks": {name: text for name, text in files.crosswalks.items() if name in map_text},
    }
    for part, texts in parts.items():
        target = folder / part
        target.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (target / name).write_text(text, encoding="utf-8")


def _texts(folder: Path | None, suffix: str) -> dict[str, str]:
    if folder is None or not folder.is_dir():
        return {}
    return {p.name: p.read_text(encoding="utf-8") for p in sorted(folder.glob(f"*{suffix}"))}
