"""What became of everything that was read: each document is accepted, rejected with a reason, or set aside for want of a map."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from adapters.port import Failure
from mappings.record.issue import Issue, IssueCode, Severity

MOST_NAMED = 1_000


class Aside(StrEnum):
    """Why a document was set aside: kept by nobody, wrong in nothing."""

    NO_MAP = "no-map"
    NOBODY_ASKED = "nobody-asked"  # about somebody for whom this agency has neither a referral nor an ask
    OURS = "ours"  # what this hub sent there itself
    NO_CHILD = "no-child"  # about a guardian or member of staff who is not tied to a child


@dataclass(frozen=True, slots=True)
class Rejection:
    """One document that was refused, by its source's own id, and the first thing wrong with it."""

    resource: str
    record_id: str
    issue: Issue


@dataclass(frozen=True, slots=True)
class Shrink:
    """A pull that would have removed too much of a resource, and did not."""

    resource: str
    would_remove: int
    of: int


@dataclass(slots=True)
class Count:
    """One resource's figures; `read` is the sum of `accepted`, `rejected` and `aside`."""

    read: int = 0
    accepted: int = 0
    unchanged: int = 0
    rejected: int = 0
    aside: int = 0
    removed: int = 0


_SUMS = (
    "cuts",
    "facts_added",
    "facts_superseded",
    "facts_retracted",
    "children_new",
    "identities_linked",
    "identities_in_review",
    "settled",
)


@dataclass(slots=True)
class Tally:
    """The figures of one intake, growing as it goes. `failure` is what ended a pull early; what came before is kept."""

    resources: dict[str, Count] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    asides: Counter[str] = field(default_factory=Counter)
    rejections: list[Rejection] = field(default_factory=list)
    issues: Counter[str] = field(default_factory=Counter)
    cuts: int = 0
    facts_added: int = 0
    facts_superseded: int = 0
    facts_retracted: int = 0
    children_new: int = 0
    identities_linked: int = 0
    identities_in_review: int = 0
    settled: int = 0
    shrinks: list[Shrink] = field(default_factory=list)
    failure: Failure | None = None
    complete: bool = False
    read_all_next: bool = False

    def of(self, resource: str) -> Count:
        """The figures of a resource."""
        return self.resources.setdefault(resource, Count())

    @property
    def total(self) -> Count:
        """All resources together."""
        total = Count()
        for one in self.resources.values():
            for name in Count.__dataclass_fields__:
                setattr(total, name, getattr(total, name) + getattr(one, name))
        return total

    @property
    def changed_nothing(self) -> bool:
        """Whether the record is as it was before."""
        return not (
            self.facts_added
            or self.facts_superseded
            or self.facts_retracted
            or self.children_new
            or self.identities_linked
            or self.identities_in_review
            or self.settled
            or self.total.removed
        )

    def accept(self, resource: str, *, unchanged: bool = False) -> None:
        """Count a document as taken in."""
        count = self.of(resource)
        count.accepted += 1
        count.unchanged += unchanged

    def put_aside(self, resource: str, why: Aside) -> None:
        """Count a document as nobody's."""
        self.of(resource).aside += 1
        self.asides[f"{resource}:{why.value}"] += 1

    def reject(self, resource: str, record_id: str, issue: Issue) -> None:
        """Count a document as refused, and name it."""
        self.of(resource).rejected += 1
        self.reasons[f"{resource}:{issue.code.value}"] += 1
        if len(self.rejections) < MOST_NAMED:
            self.rejections.append(Rejection(resource, record_id, issue))

    def note(self, resource: str, issue: Issue) -> None:
        """Count what was lost of a document that was taken in."""
        if issue.severity is not Severity.INFORMATION:
            self.issues[f"{resource}:{issue.code.value}"] += 1

    def add(self, other: "Tally") -> None:
        """The figures of another intake on top of these; complete only if it was too."""
        for resource, count in other.resources.items():
            mine = self.of(resource)
            for name in Count.__dataclass_fields__:
                setattr(mine, name, getattr(mine, name) + getattr(count, name))
        for name in ("reasons", "asides", "issues"):
            getattr(self, name).update(getattr(other, name))
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.rejections = [*self.rejections, *other.rejections][:MOST_NAMED]
        self.shrinks += other.shrinks
        self.failure = self.failure or other.failure
        self.complete = self.complete and other.complete

    def counts(self) -> dict[str, Any]:
        """Everything but the names of the rejected, as JSON: what the inbox keeps."""
        return {
            "resources": {
                resource: {name: getattr(count, name) for name in Count.__dataclass_fields__}
                for resource, count in sorted(self.resources.items())
            },
            "reasons": dict(sorted(self.reasons.items())),
            "asides": dict(sorted(self.asides.items())),
            "issues": dict(sorted(self.issues.items())),
            "cuts": self.cuts,
            "facts": [self.facts_added, self.facts_superseded, self.facts_retracted],
            "children": self.children_new,
            "linked": self.identities_linked,
            "review": self.identities_in_review,
            "settled": self.settled,
            "shrinks": [[one.resource, one.would_remove, one.of] for one in self.shrinks],
            "complete": self.complete,
        }


def unresolved(path: str, text: str) -> Issue:
    """A document that names another which is not there."""
    return Issue(severity=Severity.ERROR, code=IssueCode.UNRESOLVED_REFERENCE, path=path, text=text)
