"""Issues of one table or package as they are found, kept readable: thousands of rows with one cause are one paragraph."""

from collections import Counter
from dataclasses import dataclass, field

from mappings.record.issue import Issue, IssueCode, Severity

SHOWN = 20
"""Issues of the same kind in the same file and column that are listed one by one."""


@dataclass(slots=True)
class Findings:
    """Collects issues by place. `refused` becomes true with the first one of severity ERROR."""

    refused: bool = False
    _listed: list[Issue] = field(default_factory=list)
    _seen: Counter[tuple[Severity, IssueCode, str, int | None]] = field(default_factory=Counter)

    def add(
        self,
        severity: Severity,
        code: IssueCode,
        text: str,
        *,
        file: str,
        row: int | None = None,
        column: int | None = None,
    ) -> None:
        """Note one thing. Rows and columns count from 1, the header being row 1. `text` never quotes a value."""
        self.refused = self.refused or severity is Severity.ERROR
        kind = (severity, code, file, column)
        self._seen[kind] += 1
        if self._seen[kind] <= SHOWN:
            place = ":".join(str(part) for part in (file, row, column) if part is not None)
            self._listed.append(Issue(severity=severity, code=code, path=place, text=text))

    def error(
        self, code: IssueCode, text: str, *, file: str, row: int | None = None, column: int | None = None
    ) -> None:
        """Something for which the whole is refused."""
        self.add(Severity.ERROR, code, text, file=file, row=row, column=column)

    def warn(
        self, code: IssueCode, text: str, *, file: str, row: int | None = None, column: int | None = None
    ) -> None:
        """Something for which a part was left out, or read in a way someone should check."""
        self.add(Severity.WARNING, code, text, file=file, row=row, column=column)

    def inform(
        self, code: IssueCode, text: str, *, file: str, row: int | None = None, column: int | None = None
    ) -> None:
        """Something somebody may want to know."""
        self.add(Severity.INFORMATION, code, text, file=file, row=row, column=column)

    def issues(self) -> tuple[Issue, ...]:
        """What was found, with one line for the rest of each kind that was not listed."""
        rest = (
            Issue(
                severity=severity,
                code=code,
                path=file if column is None else f"{file}:*:{column}",
                text=f"{count - SHOWN} more like those listed.",
            )
            for (severity, code, file, column), count in self._seen.items()
            if count > SHOWN
        )
        return (*self._listed, *rest)
