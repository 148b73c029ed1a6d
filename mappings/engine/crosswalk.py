"""Crosswalks: tables from a source's codes to ours, with the columns of a FHIR ConceptMap.

CSV columns: `source_code,target_code,equivalence,preferred,comment`. `equivalence` is one of FHIR R4's
concept-map-equivalence codes we use; `preferred` is `yes` on the one row to take on the way back
where several source codes meet in one target.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mappings.engine.fault import MapError, did_you_mean

COLUMNS = ("source_code", "target_code", "equivalence", "preferred", "comment")
MAX_ROWS = 50_000


class Equivalence(StrEnum):
    """FHIR R4 concept-map-equivalence, read from target to source as R4 does."""

    EQUIVALENT = "equivalent"
    EQUAL = "equal"
    WIDER = "wider"  # the target is wider than the source
    NARROWER = "narrower"  # the target is narrower than the source
    INEXACT = "inexact"
    RELATEDTO = "relatedto"
    UNMATCHED = "unmatched"  # known, and on purpose without a target: nothing, and no issue


class Unmapped(StrEnum):
    """What becomes of a code the table does not know; each of them gives an issue."""

    REJECT = "reject"  # the value is left out
    DEFAULT = "default"  # the table's default is taken
    PASS = "pass"  # noqa: S105 - the source's code is passed through as it is; not a password


@dataclass(frozen=True, slots=True)
class Row:
    """One pair of codes."""

    source: str
    target: str
    equivalence: Equivalence
    preferred: bool
    comment: str
    line: int


@dataclass(frozen=True, slots=True)
class Crosswalk:
    """A parsed table. `lookup` is keyed by the source code, folded where `ignore_case`."""

    file: str
    rows: tuple[Row, ...]
    ignore_case: bool
    lookup: Mapping[str, str]

    def fold(self, code: str) -> str:
        """The code as `lookup` is keyed."""
        return code.casefold() if self.ignore_case else code

    @property
    def targets(self) -> frozenset[str]:
        """Every code it can give."""
        return frozenset(code for code in self.lookup.values() if code)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Source codes that are known and have no target."""
        return tuple(row.source for row in self.rows if not row.target)

    @property
    def many_to_one(self) -> tuple[str, ...]:
        """Target codes in which several source codes meet, so that the way back is a choice."""
        meets: dict[str, int] = {}
        for row in self.rows:
            if row.target:
                meets[row.target] = meets.get(row.target, 0) + 1
        return tuple(sorted(code for code, count in meets.items() if count > 1))

    @property
    def invertible(self) -> bool:
        """Whether every source has a target and every target exactly one source."""
        return not self.many_to_one and not self.dropped

    def back(self) -> Mapping[str, str]:
        """Target to source: the only source, else the preferred one; targets with a choice and no preference are absent."""
        chosen: dict[str, str] = {}
        open_choice = set(self.many_to_one)
        for row in self.rows:
            if row.target and (row.target not in open_choice or row.preferred):
                chosen[row.target] = row.source
        return chosen


def parse_crosswalk(
    text: str, file: str, *, ignore_case: bool = False
) -> tuple[Crosswalk, tuple[MapError, ...]]:
    """Parse a crosswalk; bad rows are left out and named with their line."""
    errors: list[MapError] = []
    rows: list[Row] = []
    lookup: dict[str, str] = {}
    preferred: set[str] = set()
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    header = next(reader, None)
    if header is None or tuple(header) != COLUMNS:
        what, step = "the header is not the one of a crosswalk", f"Write {','.join(COLUMNS)}."
        fault = MapError(file, 1, 1, what, "columns are read by name", step)
        return Crosswalk(file, (), ignore_case, {}), (fault,)
    for cells in reader:
        if not cells:
            continue
        row = [cell.strip() for cell in cells]
        wrong = _fault(row, reader.line_num, lookup, preferred, ignore_case=ignore_case)
        if wrong:
            errors.append(MapError(file, reader.line_num, 1, *wrong))
            if reader.line_num > MAX_ROWS:
                break
            continue
        source, target, equivalence, mark, comment = row
        preferred.update({target} if mark else ())
        lookup[source.casefold() if ignore_case else source] = target
        rows.append(Row(source, target, Equivalence(equivalence), bool(mark), comment, reader.line_num))
    return Crosswalk(file, tuple(rows), ignore_case, lookup), tuple(errors)


def _fault(  # noqa: PLR0911 - one return per thing that can be wrong with a row
    row: list[str], line: int, lookup: Mapping[str, str], preferred: set[str], *, ignore_case: bool
) -> tuple[str, str, str] | None:
    """What is wrong with a row, why, and the next step; None where nothing is."""
    if line > MAX_ROWS:
        return "too many rows", f"a crosswalk has at most {MAX_ROWS}", "Split the table."
    if len(row) != len(COLUMNS):
        return f"{len(row)} columns", "a row has five", "Quote a comment that holds a comma."
    source, target, equivalence, mark, _ = row
    if equivalence not in set(Equivalence):
        step = did_you_mean(equivalence, list(Equivalence))
        return f"unknown equivalence {equivalence!r}", "FHIR R4 names them", step
    if not source or bool(target) == (equivalence == Equivalence.UNMATCHED):
        return (
            "a code is empty",
            "a row pairs two codes",
            "Fill both, or write unmatched where there is no target.",
        )
    if mark not in {"", "yes"}:
        return (
            f"preferred is {mark!r}",
            "it is yes or empty",
            "Write yes for the row to take on the way back.",
        )
    if (source.casefold() if ignore_case else source) in lookup:
        return f"source code {source!r} stands twice", "a code has one target", "Remove one of the rows."
    if mark and target in preferred:
        return f"two preferred rows for {target!r}", "the way back takes one", "Leave yes on one row."
    return None
