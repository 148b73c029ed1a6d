"""Where the real inputs lie, and the one way a test skips when they are absent."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
CORPUS = SHARED / "corpus"


def corpus(*parts: str) -> Path:
    """A path inside the corpus; skips the calling test, with the reason printed, where the corpus is not there."""
    if not CORPUS.is_dir():
        pytest.skip(
            f"needs the real inputs beside the project ({'/'.join(parts)}), which are not on this machine"
        )
    path = CORPUS.joinpath(*parts)
    if not path.exists():  # present but incomplete is a fault, not a reason to skip
        msg = f"the corpus is here but {'/'.join(parts)} is missing"
        raise FileNotFoundError(msg)
    return path
