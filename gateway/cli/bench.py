"""`planhub bench`: run the measurements that lie in benchmarks/, each against a peer of the same run."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.exits import Exit
from gateway.cli.output import JsonFlag, fail, say, show_json, table
from gateway.cli.project import ROOT

COLUMNS = ("name", "value", "unit", "peer", "ratio", "bar", "ok")


def available(folder: Path) -> list[str]:
    """The measurements that exist, by name."""
    return sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("_"))


def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Which; all when none is named.")] = None,
    json: JsonFlag = False,
) -> None:
    """Measure: `planhub bench map_engine`. Every row names its peer, their ratio, the bar and whether it is met."""
    folder = ROOT / "benchmarks"
    known = available(folder) if folder.is_dir() else []
    unknown = [n for n in names or () if n not in known]
    if unknown or not known:
        fail(
            f"no benchmark is called {', '.join(unknown)}" if known else "no benchmarks here",
            "they live in benchmarks/ of a clone",
            f"choose from: {', '.join(known)}" if known else "clone the project",
            Exit.USAGE,
        )
    rows = list(_measure(names or known))
    if json:
        show_json({"rows": rows})
    else:
        table([[_cell(row.get(c)) for c in COLUMNS] for row in rows], COLUMNS)
    if not all(row["ok"] for row in rows if row.get("ok") is not None):
        raise typer.Exit(Exit.CHECK_FAILED)


def _measure(names: list[str]) -> Iterator[dict[str, Any]]:
    sys.path.insert(0, str(ROOT))
    for name in names:
        say(f"bench: {name}")
        yield from importlib.import_module(f"benchmarks.{name}").run()


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
