"""An ask: what an agency would like to see of a child, put to the family, who may answer or not.

An ask opens nothing and is no directive. To whoever asked, a *no* and no answer are one: both wait, and both lapse on the same
day. Only a yes shows.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from consent.directive import VALID, Directive
from consent.vocabulary import COVERS, Effect, Purpose
from mappings.record.category import EXTRA_PRIVATE, Category

ANSWERED_WITHIN = timedelta(days=30)
"""After this long without a yes an ask lapses."""

LONGEST = timedelta(days=366)
"""No ask is for longer: a family is asked again each school year (consent.md §2.3)."""

MOST_REMINDERS = 2
BETWEEN_REMINDERS = timedelta(days=7)

ASKED_FOR: frozenset[Purpose] = frozenset(
    {
        Purpose.CARE_COORDINATION,
        Purpose.TREATMENT,
        Purpose.CARE_MANAGEMENT,
        Purpose.STUDENT_SUPPORT,
        Purpose.REFERRAL_OUTCOME,
    }
)
"""The purposes a family is asked about and signs for; emergencies, its own reading and record keeping are not among them."""


class AskState(StrEnum):
    """Where an ask stands."""

    WAITING = "waiting"
    ANSWERED = "answered"
    LAPSED = "lapsed"


class MadeBy(StrEnum):
    """How an ask came about."""

    AGENCY = "agency"
    REFERRAL = "referral"  # sent before permission exists
    STAFF = "staff"


class AskFault(StrEnum):
    """What is wrong with what an ask says."""

    NO_TOPIC = "no-topic"
    NOT_ALONE = "not-alone"  # an extra-private topic together with another
    NOT_A_REQUEST = "not-a-request"  # a purpose no family signs for
    OVER = "over"  # its last day has passed
    TOO_LONG = "too-long"


@dataclass(frozen=True, slots=True)
class Ask:
    """One ask. `recipient` would see, `asker` is told what became of it; they differ where a referral asks.

    `until` is the end asked for, `lapses_at` when it is too late to answer. `answer` is the family's, None while it is silent.
    """

    ask_id: UUID
    child_id: UUID
    recipient: str
    asker: str
    topics: frozenset[Category]
    purpose: Purpose
    until: datetime
    made_by: MadeBy
    made_at: datetime
    lapses_at: datetime
    referral_id: UUID | None = None
    answer: Effect | None = None
    answered_at: datetime | None = None
    reminders: int = 0

    def state(self, at: datetime) -> AskState:
        """Where it really stands; inside only."""
        if self.answer is not None:
            return AskState.ANSWERED
        return AskState.WAITING if at < self.lapses_at else AskState.LAPSED

    def shown(self, at: datetime) -> AskState:
        """Where it stands to the asker: a no is silence, to the day."""
        if self.answer is Effect.PERMIT:
            return AskState.ANSWERED
        return AskState.WAITING if at < self.lapses_at else AskState.LAPSED

    def answer_in(self, said: Directive) -> Effect | None:
        """The answer a guardian's new sentence gives to this ask; None where it gives none.

        A yes to any topic of it is a yes; only a stop of every topic is a no.
        """
        if said.effect is Effect.PERMIT:
            fits = said.permits_recipient(self.recipient) and said.state in VALID and said.supersedes is None
            covers = any(self.purpose in COVERS[named] for named in said.purposes)
            return Effect.PERMIT if fits and covers and self.topics & said.categories else None
        covers = self.purpose in said.purposes or any(
            self.purpose in COVERS[named] for named in said.purposes
        )
        stops = said.stops_recipient(self.recipient) and self.topics <= said.categories
        return Effect.DENY if covers and stops else None


def fault_of(topics: frozenset[Category], purpose: Purpose, until: datetime, at: datetime) -> AskFault | None:
    """What is wrong with what is asked, the first thing; None where it may be put to a family.

    Who the child is goes with every topic and is no topic of its own.
    """
    faults = {
        AskFault.NO_TOPIC: not topics - {Category.IDENTITY},
        AskFault.NOT_ALONE: bool(topics & EXTRA_PRIVATE) and len(topics - {Category.IDENTITY}) > 1,
        AskFault.NOT_A_REQUEST: purpose not in ASKED_FOR,
        AskFault.OVER: until <= at,
        AskFault.TOO_LONG: until > at + LONGEST,
    }
    return next((fault for fault, wrong in faults.items() if wrong), None)
