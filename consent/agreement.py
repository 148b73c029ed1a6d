"""Data-sharing agreements: the outer bound of everything that may flow to an agency, whatever a family grants."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from consent.vocabulary import Purpose, Reason
from mappings.record.category import Category


class HubRole(StrEnum):
    """What the hub is to the agency, and so which duties it has (ARCHITECTURE §6)."""

    SCHOOL_OFFICIAL_CONTRACTOR = "school-official-contractor"  # 34 CFR 99.31(a)(1)
    BUSINESS_ASSOCIATE = "business-associate"  # 45 CFR 160.103
    QUALIFIED_SERVICE_ORGANISATION = "qualified-service-organisation"  # 42 CFR 2.11
    INTERMEDIARY = "intermediary"  # 42 CFR 2.11, 2.24


class AgreementStatus(StrEnum):
    """Whether the parties stand by it."""

    DRAFT = "draft"
    IN_FORCE = "in-force"
    SUSPENDED = "suspended"
    ENDED = "ended"


class Agreement(BaseModel):
    """What one agency may ever receive: which topics for which purposes, half-open period. Empty sets cover nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    agreement_id: str | UUID
    org: str
    hub_role: HubRole
    purposes: frozenset[Purpose]
    categories: frozenset[Category]
    valid_from: AwareDatetime
    valid_until: AwareDatetime | None = None
    status: AgreementStatus

    def in_period(self, at: datetime) -> bool:
        """Whether its dates hold at `at`."""
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)

    def shortfall(self, org: str, purpose: str, category: Category, at: datetime) -> Reason | None:
        """Why it does not cover this flow, the first thing missing; None if it covers it.

        A purpose is covered only by name: what a directive's purpose implies, an agreement spells out.
        """
        if org != self.org or self.status is AgreementStatus.DRAFT:
            return Reason.AGREEMENT_MISSING
        if self.status is AgreementStatus.SUSPENDED:
            return Reason.AGREEMENT_SUSPENDED
        if self.status is AgreementStatus.ENDED or not self.in_period(at):
            return Reason.AGREEMENT_EXPIRED
        if purpose not in self.purposes:
            return Reason.AGREEMENT_PURPOSE
        return None if category in self.categories else Reason.AGREEMENT_CATEGORY


_NEARNESS = (
    Reason.AGREEMENT_MISSING,
    Reason.AGREEMENT_EXPIRED,
    Reason.AGREEMENT_SUSPENDED,
    Reason.AGREEMENT_PURPOSE,
    Reason.AGREEMENT_CATEGORY,
)


def uncovered(
    agreements: Iterable[Agreement], org: str, purpose: str, category: Category, at: datetime
) -> Reason | None:
    """Why no agreement covers this flow, or None if one does. Of several, the one that comes nearest gives the reason."""
    nearest = 0
    for agreement in agreements:
        reason = agreement.shortfall(org, purpose, category, at)
        if reason is None:
            return None
        nearest = max(nearest, _NEARNESS.index(reason))
    return _NEARNESS[nearest]
