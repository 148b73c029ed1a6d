"""What may leave: a record already filtered by a decision. There is no public way to make one.

An exporter takes a `RecordView`, never assertions; a `RecordView` exists only if `consent.projection` made it from a live
decision. It carries no internal id: the child is `child_ref`, pairwise for this recipient, and so is each assertion's id.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

from mappings.record.base import Period
from mappings.record.category import Category
from mappings.record.kind import Kind
from mappings.record.regime import Regime
from mappings.record.sensitivity import Label


@dataclass(frozen=True, slots=True)
class ViewedAssertion:
    """One assertion as this recipient may see it; links name only assertions in the same view."""

    id: str
    kind: Kind
    category: Category
    value: dict[str, Any]
    org: str
    person: str | None
    role: str | None
    method: str
    asserted_at: datetime
    effective: Period | None
    regimes: frozenset[Regime]
    labels: frozenset[Label]
    quality: str
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True, init=False)
class RecordView:
    """The record of one child for one recipient and purpose at one instant."""

    decision_id: UUID
    child_ref: str
    recipient: str
    purpose: str
    at: datetime
    expires: datetime
    assertions: tuple[ViewedAssertion, ...]
    notices: tuple[str, ...]
    plan_status: str | None

    def __init__(self) -> None:
        self._refuse()

    @staticmethod
    def _refuse() -> NoReturn:
        msg = "a RecordView is minted by consent.projection from a live decision, never constructed"
        raise TypeError(msg)

    def of(self, *kinds: Kind) -> tuple[ViewedAssertion, ...]:
        """The assertions of these kinds, in the view's order."""
        return tuple(item for item in self.assertions if item.kind in kinds)

    @property
    def categories(self) -> frozenset[Category]:
        """The categories that actually occur."""
        return frozenset(item.category for item in self.assertions)
