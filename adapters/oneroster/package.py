"""What a OneRoster CSV package is made of: its files by table, and what the manifest says of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath

from adapters.archive import Archive
from adapters.findings import Findings
from adapters.oneroster.rows import Cut, Row, records, rows
from adapters.oneroster.tables import NOT_READ, ROLES_MARK, Table, canonical
from mappings.record.issue import IssueCode

MANIFEST = "manifest.csv"
VERSIONS = ("1.1", "1.2")
_LITTER = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


class Mode(StrEnum):
    """What a file of the package says about itself."""

    ABSENT = "absent"
    BULK = "bulk"
    DELTA = "delta"


@dataclass(slots=True)
class Package:
    """The files of a package by table, and what the manifest says of them."""

    archive: Archive
    findings: Findings
    version: str = "1.2"
    files: dict[Table, str] = field(default_factory=dict)
    modes: dict[str, Mode] = field(default_factory=dict)

    def mode(self, table: Table) -> Mode:
        """What the manifest says of a table; without a word there, what the ZIP holds."""
        return self.modes.get(table.value.lower(), Mode.BULK if table in self.files else Mode.ABSENT)

    def rows(self, table: Table, cut: Cut) -> Iterator[Row]:
        """The rows of a table; none where the package does not have it."""
        name = self.files.get(table)
        return rows(self.archive, name, table, self.findings, cut) if name is not None else iter(())


def lay_out(package: Package) -> bool:
    """Find the tables and the manifest; False where there is none. The findings say whether the package is refused."""
    findings, by_stem = package.findings, dict[str, str]()
    known = {name.lower() for name in (*Table, *NOT_READ, "manifest")}
    for number, name in enumerate(package.archive.names, start=1):
        path = PurePosixPath(name)
        if any(part in _LITTER or part.startswith("._") for part in path.parts):
            continue
        stem = path.stem.lower()
        if path.suffix.lower() != ".csv" or stem not in known:
            text = f"File {number} of the ZIP is not one OneRoster defines; it was not read."
            findings.warn(IssueCode.UNKNOWN_FIELD, text, file=f"entry {number}")
        elif stem in by_stem:
            findings.error(IssueCode.DUPLICATE, "The ZIP holds this table twice.", file=f"{stem}.csv")
        else:
            by_stem[stem] = name
            if len(path.parts) > 1:
                text = "The file lies in a folder; OneRoster wants it at the top of the ZIP."
                findings.inform(IssueCode.BAD_ARCHIVE, text, file=f"{stem}.csv")
    if "manifest" not in by_stem:
        text = "The package has no manifest.csv, so it cannot be told what it is. Export it as OneRoster CSV."
        findings.error(IssueCode.REQUIRED, text, file=MANIFEST)
        return False
    _read_manifest(package, by_stem["manifest"])
    package.files = {table: by_stem[table.value] for table in Table if table.value in by_stem}
    _find_misnamed_roles(package, by_stem)
    _compare_with_manifest(package, set(by_stem))
    return True


def _read_manifest(package: Package, name: str) -> None:
    findings = package.findings
    lines = [
        (number, [cell.strip() for cell in cells])
        for number, cells in records(package.archive, name, findings)
    ]
    if lines and [cell.lower() for cell in lines[0][1][:2]] == ["propertyname", "value"]:
        if lines[0][1][:2] != ["propertyName", "value"]:
            text = "The header of the manifest is propertyName,value in exactly that spelling."
            findings.warn(IssueCode.BAD_HEADER, text, file=MANIFEST, row=1)
        lines = lines[1:]
    else:
        text = "The manifest does not begin with propertyName,value. Export the package as OneRoster CSV."
        findings.error(IssueCode.BAD_HEADER, text, file=MANIFEST, row=1)
        return
    for number, cells in lines:
        key, value = cells[0].lower(), cells[1] if len(cells) > 1 else ""
        if key == "oneroster.version":
            package.version = value
            if value not in VERSIONS:
                text = "The OneRoster version is not one this hub knows (1.1, 1.2); the columns decide."
                findings.warn(IssueCode.UNKNOWN_CODE, text, file=MANIFEST, row=number, column=2)
        elif key.startswith("file."):
            if value.lower() in set(Mode):
                package.modes[key.removeprefix("file.")] = Mode(value.lower())
            else:
                text = "A file is absent, bulk or delta; this one counts as what the ZIP holds."
                findings.warn(IssueCode.UNKNOWN_CODE, text, file=MANIFEST, row=number, column=2)


def _find_misnamed_roles(package: Package, by_stem: Mapping[str, str]) -> None:
    """A roles table in a file called userProfiles, as one large platform writes it."""
    name = by_stem.get("userprofiles")
    if Table.ROLES in package.files or name is None:
        return
    header = next(records(package.archive, name, Findings()), (0, []))[1]
    if {canonical(Table.ROLES, heading) for heading in header} >= ROLES_MARK:
        package.files[Table.ROLES] = name
        package.modes[Table.ROLES.value] = package.modes.get("userprofiles", Mode.BULK)
        text = "The file holds the roles table and was read as such. Name it roles.csv."
        package.findings.warn(IssueCode.BAD_HEADER, text, file="userProfiles.csv")


def _compare_with_manifest(package: Package, stems: set[str]) -> None:
    findings = package.findings
    for table in Table:
        said, file = package.modes.get(table.value), f"{table.value}.csv"
        if said in {Mode.BULK, Mode.DELTA} and table not in package.files:
            text = "The manifest announces the file, but the ZIP does not hold it. Export the package again."
            findings.error(IssueCode.REQUIRED, text, file=file)
        elif said is Mode.ABSENT and table.value in stems:
            text = "The ZIP holds the file, but the manifest calls it absent. Correct the one or the other."
            findings.error(IssueCode.BAD_VALUE, text, file=file)
    if Table.USERS not in package.files:
        findings.inform(
            IssueCode.REQUIRED,
            "The package holds no users, so there is nobody to take over.",
            file="users.csv",
        )
    elif package.mode(Table.USERS) is Mode.BULK:
        _require(package)


def _require(package: Package) -> None:
    """What a bulk package with users needs besides them. Version 1.1 keeps roles in the users table."""
    findings, files = package.findings, package.files
    header = next(records(package.archive, files[Table.USERS], Findings()), (0, []))[1]
    has_role = "role" in {canonical(Table.USERS, heading) for heading in header}
    if Table.ROLES not in files and not has_role:
        text = "Without roles.csv nobody can be told to be a student. Add it to the package (OneRoster 1.2)."
        findings.error(IssueCode.REQUIRED, text, file="roles.csv")
    if Table.ORGS not in files:
        text = "Without orgs.csv no school can be told. Add it to the package."
        findings.error(IssueCode.REQUIRED, text, file="orgs.csv")
    if Table.DEMOGRAPHICS not in files:
        text = "Without demographics.csv there are no birth dates, so no child can be matched with another agency's."
        findings.warn(IssueCode.REQUIRED, text, file="demographics.csv")
