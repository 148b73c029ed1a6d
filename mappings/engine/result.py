"""What a map gives back: outputs and issues, never an exception."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mappings.record.assertion import Draft, Method
from mappings.record.base import Period
from mappings.record.category import Category
from mappings.record.issue import Issue, Severity
from mappings.record.kind import Kind
from mappings.record.regime import Regime
from mappings.record.sensitivity import Label


class Output(NamedTuple):
    """One thing a rule made: an assertion draft (inbound) or a resource, row or object (outbound).

    `value` is plain JSON with no empty members. `path` is where in the source it came from (`addresses.2`, or an empty
    text for the document itself); `key` tells it from others of its kind in the same document. Inbound: `category` is the
    declared or value-driven one and `categories` holds just it. Outbound: `category` is None; `uses` are the ids of the
    assertions that fed this output and `categories` theirs.
    """

    rule: str
    kind: str
    category: Category | None
    labels: frozenset[Label]
    value: dict[str, Any]
    path: str
    key: str
    links: tuple[str, ...]
    effective: dict[str, Any] | None
    method: Method | None
    regimes: frozenset[Regime]
    categories: frozenset[Category]
    uses: frozenset[str]

    def draft(self) -> Draft:
        """The draft intake stores. The value is not checked against its model here: `record.assertion.check_value` does.

        Raises ValueError only for an outbound output or a kind the record does not have, which is a bug of the caller.
        """
        if self.category is None:
            raise ValueError(f"{self.rule} makes no fact of a child")
        return Draft(
            kind=Kind(self.kind),
            category=self.category,
            value=self.value,
            key=self.key,
            regimes=self.regimes,
            labels=self.labels,
            method=self.method or Method.RECORD_IMPORT,
            effective=Period.model_validate(self.effective) if self.effective else None,
            links=self.links,
        )


class MapResult(NamedTuple):
    """Outputs and issues of one document, with the keys intake files it under.

    `record_id` is the document's natural key in its source (several parts joined by `|`); `subjects` says whom it is
    about (`student`, `contact`, `staff` → the source's own key). A refused document has no outputs and an issue of
    severity error.
    """

    outputs: tuple[Output, ...]
    issues: tuple[Issue, ...]
    record_id: str | None
    subjects: Mapping[str, str]

    @property
    def refused(self) -> bool:
        """Whether the whole document was refused."""
        return any(issue.severity is Severity.ERROR for issue in self.issues)
