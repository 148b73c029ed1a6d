"""Writes what the shipped maps make now: `python -m tests.mappings.engine.regold [FOLDER…]`.

It rewrites `expected/*.json` of every map and its page under `docs/losses`. Read the difference before committing it: a
golden sample that is written without being read proves nothing.
"""

import sys

from mappings.engine.loss import loss_table
from mappings.engine.record_target import record_targets
from mappings.engine.samples import regold
from mappings.engine.shipped import FOLDERS, shipped_files
from tests.paths import ROOT

LOSSES = ROOT / "docs" / "losses"


def main(folders: list[str]) -> int:
    """Rewrite the maps of these folders; 1 where a map does not compile."""
    LOSSES.mkdir(parents=True, exist_ok=True)
    faulty = 0
    for one in shipped_files():
        if one.folder not in folders:
            continue
        compilation = one.compile()
        if compilation.map is None:
            faulty = 1
            print(*compilation.errors, sep="\n")  # noqa: T201 - a command's answer
            continue
        expected = ROOT / "mappings" / one.folder / one.name / "expected"
        expected.mkdir(exist_ok=True)
        for name, text in regold(compilation.map, one.samples).items():
            (expected / name).write_text(text, "utf-8")
        page = loss_table(compilation.map, record_targets()).markdown()
        (LOSSES / f"{one.folder}-{one.name}.md").write_text(page, "utf-8")
    return faulty


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(FOLDERS)))
