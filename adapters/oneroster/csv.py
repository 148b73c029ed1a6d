"""OneRoster CSV packages, 1.1 and 1.2: read tolerantly, taken over wholly or not at all (`reference/school.md` §3.2 and §3.3).

A package is read twice. The first time everything is checked and indexed; a single finding of severity ERROR means that
nobody is taken over. The second time users are streamed, each joined with what the other tables say.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from adapters.archive import Archive, Caps, open_archive
from adapters.findings import Findings
from adapters.oneroster.package import Mode, Package, lay_out
from adapters.oneroster.people import Cells, Person, Roster, is_student, listed, user_row
from adapters.oneroster.rows import Cut, Row
from adapters.oneroster.tables import Table
from mappings.record.issue import Issue, IssueCode


@dataclass(slots=True)
class OneRosterBundle:
    """A package that has been checked. Iterate over `people` any number of times, then close.

    `people` is empty where `refused`. `sha256` is the digest of what was received; `passwords_cut` how many passwords
    were dropped at the door. `mode` DELTA: users that are not in it have not changed.
    """

    people: Iterable[Person]
    issues: tuple[Issue, ...]
    refused: bool
    version: str
    mode: Mode
    sha256: bytes = field(repr=False)
    passwords_cut: int = 0
    _archive: Archive | None = field(default=None, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def students(self) -> Iterator[Person]:
        """The people who are students; everybody else stands in their documents as agents, if anywhere."""
        return (person for person in self.people if is_student(person))

    def close(self) -> None:
        """Close the file."""
        if self._archive is not None:
            self._archive.__exit__()


def read(source: Path | bytes, caps: Caps | None = None) -> OneRosterBundle:
    """Read a package from a file or from bytes. Never raises on bad input: look at `refused` and `issues`."""
    archive = open_archive(source, caps)
    if isinstance(archive, Issue):
        return OneRosterBundle((), (archive,), True, "", Mode.BULK, b"")
    findings = Findings()
    package = Package(archive, findings)
    roster, cut = Roster(), Cut()
    if lay_out(package):
        _index(package, roster, cut)
    if cut.passwords:
        text = f"{cut.passwords} passwords were cut out and not kept. Leave the column out of the export."
        findings.inform(IssueCode.FORBIDDEN, text, file=package.files.get(Table.USERS, ""))
    people: Iterable[Person] = () if findings.refused else _People(package, roster)
    return OneRosterBundle(
        people=people,
        issues=findings.issues(),
        refused=findings.refused,
        version=package.version,
        mode=package.mode(Table.USERS) if package.mode(Table.USERS) is Mode.DELTA else Mode.BULK,
        sha256=_digest(source),
        passwords_cut=cut.passwords,
        _archive=archive,
    )


def _digest(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return hashlib.sha256(source).digest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


_USER = {Table.ROLES: "userSourcedId", Table.DEMOGRAPHICS: "sourcedId", Table.ENROLLMENTS: "userSourcedId"}
_ORG = {Table.ROLES: "orgSourcedId", Table.ENROLLMENTS: "schoolSourcedId"}


def _index(package: Package, roster: Roster, cut: Cut) -> None:
    """The first reading: check every row of every table, and keep what users are joined with."""
    check = _Check(package, cut)
    for cells in check.accepted(Table.ORGS):
        roster.add_org(cells)
    for cells in check.accepted(Table.USERS):
        roster.link(cells["sourcedId"], listed(cells.get("agentSourcedIds", "")))
        roster.add_roles_of_1_1(cells)
    for cells in check.accepted(Table.ROLES):
        roster.add_role(cells)
    for cells in check.accepted(Table.DEMOGRAPHICS):
        roster.add_demographics(cells)
    for cells in check.accepted(Table.ENROLLMENTS):
        roster.add_enrollment(cells)
    unknown = sum(1 for user in roster.linked if not check.is_known(Table.USERS, user))
    if unknown and package.mode(Table.USERS) is Mode.BULK:
        text = f"{unknown} agents are named who are not users of this package; those links were left out."
        package.findings.warn(IssueCode.UNRESOLVED_REFERENCE, text, file="users.csv")


_BULK, _DELTA = Mode.BULK, Mode.DELTA
_ORGS, _USERS = Table.ORGS, Table.USERS


class _Check:
    """What has been read so far: repeated ids, references to nobody, and the rules of bulk and delta."""

    def __init__(self, package: Package, cut: Cut) -> None:
        self._package = package
        self._cut = cut
        self._modes = {table: package.mode(table) for table in Table}
        self._rows: dict[Table, dict[str, int]] = {table: {} for table in Table}

    def accepted(self, table: Table) -> Iterator[Cells]:
        """The rows of a table that may be used; the findings say what is wrong with the others."""
        for row in self._package.rows(table, self._cut):
            self._check_lifecycle(table, row)
            if self._is_new(table, row) and self._has_user(table, row):
                self._expect_org(table, row)
                yield row.cells

    def is_known(self, table: Table, sourced_id: str) -> bool:
        """Whether a row of this id has been read; in a delta it may have come earlier, so everything counts as known."""
        return sourced_id in self._rows[table] or self._modes[table] is not _BULK

    def _is_new(self, table: Table, row: Row) -> bool:
        """Whether an id is new. A second row is left out where it says the same; where it does not, all is refused."""
        key, known = row.cells.get("sourcedId"), self._rows[table]
        if key is None:
            return True
        digest = hash(frozenset(row.cells.items()))
        if key not in known:
            known[key] = digest
            return True
        if known[key] == digest:
            self._warn(IssueCode.DUPLICATE, "The row stands twice; once is enough.", table, row)
        else:
            text = "Two different rows have this sourcedId, so it cannot be told which is right. Correct the export."
            file = self._package.files[table]
            self._package.findings.error(IssueCode.DUPLICATE, text, file=file, row=row.number, column=1)
        return False

    def _has_user(self, table: Table, row: Row) -> bool:
        column = _USER.get(table)
        if column is None or self.is_known(_USERS, row.cells[column]):
            return True
        text = f"{column} names nobody in users.csv; the row was left out."
        self._warn(IssueCode.UNRESOLVED_REFERENCE, text, table, row)
        return False

    def _expect_org(self, table: Table, row: Row) -> None:
        column = _ORG.get(table)
        if column is not None and not self.is_known(_ORGS, row.cells[column]):
            text = f"{column} names no row of orgs.csv; the school's name is not known."
            self._warn(IssueCode.UNRESOLVED_REFERENCE, text, table, row)

    def _check_lifecycle(self, table: Table, row: Row) -> None:
        """CSV binding: status and dateLastModified stay empty in a bulk file, and both are needed in a delta."""
        mode, cells = self._modes[table], row.cells
        if mode is _BULK and ("status" in cells or "dateLastModified" in cells):
            for column in ("status", "dateLastModified"):
                if column in cells:
                    text = (
                        f"{column} stays empty in a bulk file; a row marked for deletion is kept as marked."
                    )
                    self._warn(IssueCode.BAD_VALUE, text, table, row)
        elif mode is _DELTA:
            for column in ("status", "dateLastModified"):
                if column not in cells:
                    text = f"{column} is needed in a delta file; the row counts as active."
                    self._warn(IssueCode.REQUIRED, text, table, row)

    def _warn(self, code: IssueCode, text: str, table: Table, row: Row) -> None:
        self._package.findings.warn(code, text, file=self._package.files[table], row=row.number)


class _People:
    """The second reading. Holds only those users in memory who are linked to others."""

    def __init__(self, package: Package, roster: Roster) -> None:
        self._package = package
        self._roster = roster

    def __iter__(self) -> Iterator[Person]:
        if self._roster.linked and not self._roster.cards:
            for cells, _ in self._users():
                self._roster.add_card(user_row(cells))
        for cells, extensions in self._users():
            yield self._roster.person(user_row(cells), extensions)

    def _users(self) -> Iterator[tuple[Cells, Mapping[str, str]]]:
        package = Package(
            self._package.archive, Findings(), self._package.version, self._package.files, self._package.modes
        )
        done: set[str] = set()
        for row in package.rows(Table.USERS, Cut()):
            if row.cells["sourcedId"] not in done:
                done.add(row.cells["sourcedId"])
                yield row.cells, row.extensions
        if package.findings.refused:
            msg = "the package changed while it was being read; nothing of it may be kept"
            raise RuntimeError(msg)
