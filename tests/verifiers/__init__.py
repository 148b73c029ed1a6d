"""Other people's software that judges our log: Go's sumdb libraries, npm's @sigstore/verify, PyPI's sigstore.

Each takes claims and says of each what is wrong with it, or nothing. None of our own verifiers is asked.
"""

import base64
import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.paths import ROOT

HERE = Path(__file__).parent
CACHE = ROOT / ".cache" / "verifiers"


@dataclass(frozen=True)
class Old:
    """An older state of the log and the proof that it was only appended to."""

    size: int
    root: bytes
    proof: Sequence[bytes]


@dataclass(frozen=True)
class Claim:
    """That `leaf` is entry `index` of the log whose signed checkpoint this is; with what there is to show it."""

    note: str
    keys: Sequence[str]
    leaf: bytes
    index: int
    hashes: Sequence[bytes]
    cosigners: Sequence[str] = ()
    old: Old | None = None
    tiles: Mapping[str, bytes] | None = None

    def spelled(self) -> dict[str, Any]:
        """The claim as the programs read it; bytes in base64."""
        old = self.old
        return {
            "Note": self.note,
            "Keys": list(self.keys),
            "Cosigners": list(self.cosigners),
            "Leaf": _text(self.leaf),
            "Index": self.index,
            "Hashes": [_text(value) for value in self.hashes],
            "Old": old
            and {"Size": old.size, "Root": _text(old.root), "Proof": [_text(p) for p in old.proof]},
            "Tiles": self.tiles and {path: _text(value) for path, value in self.tiles.items()},
        }


def spelled(claims: Sequence[Claim]) -> str:
    """All claims as one JSON text."""
    return json.dumps([claim.spelled() for claim in claims])


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


@contextmanager
def made_once(name: str) -> Iterator[Path]:
    """A folder of this name under .cache, for one process at a time to fill."""
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
