"""What the hub's words are to a family: topics, purposes and reasons in plain English, and a receipt's short number.

Here and nowhere else, so that the command line, the family's page and a letter say the same. Every member of a closed
vocabulary has its words; a test says so.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, tzinfo
from hashlib import sha256
from uuid import UUID

from consent.guardian import GuardianKind
from consent.vocabulary import Purpose, Reason
from mappings.record.category import Category

TOPIC: Mapping[Category, str] = {
    Category.IDENTITY: "Who the child is",
    Category.SCHOOL: "School",
    Category.HEALTH: "Health",
    Category.FEELINGS: "Feelings",
    Category.HOME: "Home and family",
    Category.ACTIVITIES: "Clubs and sports",
    Category.SPECIAL_EDUCATION: "Special education",
    Category.DISCIPLINE: "Discipline",
    Category.LIVING_SITUATION: "Where the child lives",
    Category.COUNSELING: "Counseling",
    Category.SUBSTANCE_USE: "Alcohol and drugs",
    Category.SEXUAL_HEALTH: "Sexual health",
    Category.SAFETY: "Safety",
}

PURPOSE: Mapping[Purpose, str] = {
    Purpose.CARE_COORDINATION: "to plan support together",
    Purpose.TREATMENT: "to treat the child",
    Purpose.CARE_MANAGEMENT: "to manage the child's care",
    Purpose.EMERGENCY_TREATMENT: "to treat the child in an emergency",
    Purpose.BREAK_GLASS: "in an emergency",
    Purpose.STUDENT_SUPPORT: "to support the child at school",
    Purpose.REFERRAL_OUTCOME: "to learn how a referral ended",
    Purpose.FAMILY_REQUEST: "because the family asked",
    Purpose.RECORD_MANAGEMENT: "to find out whether two records are of one child",
}

_NOT_NOW = "it may not be shared now"

REASON: Mapping[Reason, str] = {
    Reason.GRANTED: "the family allowed it",
    Reason.OWN_RECORD: "it is what the agency itself sent",
    Reason.FAMILY_READ: "it is the family's own record",
    Reason.STEWARD_READ: "a review of two records needed it",
    Reason.EMERGENCY: "somebody was in danger",
    Reason.TENANT_MISMATCH: "the request was not about this child",
    Reason.COURT_ORDER: _NOT_NOW,
    Reason.SAFETY_HOLD: _NOT_NOW,
    Reason.AGREEMENT_MISSING: "the agency has no agreement with the community",
    Reason.AGREEMENT_EXPIRED: "the agency's agreement has ended",
    Reason.AGREEMENT_SUSPENDED: "the agency's agreement is suspended",
    Reason.AGREEMENT_PURPOSE: "the agency's agreement does not cover this purpose",
    Reason.AGREEMENT_CATEGORY: "the agency's agreement does not cover this topic",
    Reason.GUARDIAN_DENY: "a guardian said no",
    Reason.NO_GRANT: "nobody has allowed it",
    Reason.RECIPIENT: "nobody has allowed it for this agency",
    Reason.PURPOSE: "it was not allowed for this purpose",
    Reason.CATEGORY: "this topic was not allowed",
    Reason.REVOKED: "it was stopped",
    Reason.NOT_GIVEN: "it was asked for and nobody has said yes",
    Reason.DISPUTED: "guardians disagree, and a person has to decide",
    Reason.EXPIRED: "the permission has ended",
    Reason.NOT_YET_VALID: "the permission has not begun",
    Reason.DEFECTIVE: "the permission lacks something the law asks for",
    Reason.AUTHORITY_LAPSED: "the guardian it rests on may no longer decide this",
    Reason.SIGNATURES_MISSING: "a signature is missing",
    Reason.PURPOSE_UNKNOWN: "the purpose is not known here",
    Reason.LABEL_UNKNOWN: "it carries a mark that is not known here",
    Reason.EXCEPTION_NOT_ENABLED: "nothing is shared without the family here",
    Reason.OBLIGATION_UNKNOWN: "it carries a duty that is not known here",
}
"""An order and a hold are told apart inside only: whoever they protect may not be the one who reads."""

GUARDIAN: Mapping[GuardianKind, str] = {
    GuardianKind.PARENT: "a parent",
    GuardianKind.LEGAL_GUARDIAN: "a legal guardian",
    GuardianKind.FOSTER_PARENT: "a foster parent",
    GuardianKind.CHILD_WELFARE_AGENCY: "the child welfare agency",
    GuardianKind.EDUCATION_DECISION_MAKER: "the education decision maker",
    GuardianKind.SELF: "the young person",
}

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no letter that is taken for another


def topics_text(topics: Iterable[Category]) -> str:
    """The topics in the order families know them: `School, Clubs and sports`."""
    named = frozenset(topics)
    return ", ".join(words for topic, words in TOPIC.items() if topic in named)


def purposes_text(purposes: Iterable[str]) -> str:
    """The purposes in words, `or` between them; one that is not known here as it stands."""
    known = {purpose.value: words for purpose, words in PURPOSE.items()}
    return " or ".join(known.get(purpose, purpose) for purpose in sorted(purposes))


def reason_text(code: str) -> str:
    """A decision's reason in words; a code that is no such reason as it stands."""
    return REASON[Reason(code)] if code in set(Reason) else code


def moment_text(at: datetime, zone: tzinfo) -> str:
    """An instant as a clock on the wall shows it: `2026-11-22 14:03`."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def last_day(until: datetime, zone: tzinfo) -> str:
    """The last day something holds that ends at `until`, which is itself over: `2027-06-30` for midnight after it."""
    return f"{(until - timedelta(microseconds=1)).astimezone(zone):%Y-%m-%d}"


def receipt_number(directive_id: UUID) -> str:
    """What a family calls a directive by: `PH-7KQ4-M2`, 30 bits of its id's SHA-256. Told apart within one child."""
    bits = int.from_bytes(sha256(directive_id.bytes).digest()[:4], "big") >> 2
    text = "".join(_DIGITS[bits >> shift & 31] for shift in range(25, -1, -5))
    return f"PH-{text[:4]}-{text[4:]}"
