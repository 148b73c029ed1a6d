"""What is wrong with a map, said so that the person who wrote it can mend it."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MapError:
    """One fault of a map, crosswalk or path table. `line` and `column` count from 1; 0 means the whole file."""

    file: str
    line: int
    column: int
    what: str
    why: str
    next_step: str

    def __str__(self) -> str:
        """`map.yaml:12:9: what (why). next step`."""
        return f"{self.file}:{self.line}:{self.column}: {self.what} ({self.why}). {self.next_step}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The nearest known word as a next step, or the list to look in where nothing is near."""
    names = sorted(str(name) for name in known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if not near:  # a misspelt last part under a right start is nearer to a reader than to difflib
        tail = word.rpartition(".")[2].lower()
        near = [name for name in names if tail and name.rpartition(".")[2].lower() == tail][:1]
    if near:
        return f"Did you mean {near[0]!r}?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")  # noqa: PLR2004 - as many as fit a line
    return f"Known here: {shown}." if names else "Nothing is known here."
