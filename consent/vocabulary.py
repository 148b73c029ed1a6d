"""The closed words of consent: purposes and what covers what, bases, outcomes, reasons, obligations.

Purposes are HL7 v3-ActReason codes where one exists; the two local ones say so. Obligations are v3-ActCode codes where one
exists. Adding a member is a decision record, because directives, agreements and law rows name them.
"""

from enum import StrEnum

from mappings.record.kind import Part


class Purpose(StrEnum):
    """Why someone may look."""

    CARE_COORDINATION = "COC"
    TREATMENT = "TREAT"
    CARE_MANAGEMENT = "CAREMGT"
    EMERGENCY_TREATMENT = "ETREAT"
    BREAK_GLASS = "BTG"
    STUDENT_SUPPORT = "STUSUP"  # local: an educator's support of the child, no v3 code exists
    REFERRAL_OUTCOME = "REFOUT"  # local: how a referral ended, told to whoever made it
    FAMILY_REQUEST = "FAMRQT"
    RECORD_MANAGEMENT = "RECORDMGT"  # the hub's own review of whether two records are one child


COVERS: dict[Purpose, frozenset[Purpose]] = {
    Purpose.CARE_COORDINATION: frozenset({Purpose.CARE_COORDINATION}),
    Purpose.TREATMENT: frozenset({Purpose.TREATMENT, Purpose.CARE_COORDINATION}),
    Purpose.CARE_MANAGEMENT: frozenset({Purpose.CARE_MANAGEMENT}),
    Purpose.EMERGENCY_TREATMENT: frozenset(),
    Purpose.BREAK_GLASS: frozenset(),
    Purpose.STUDENT_SUPPORT: frozenset({Purpose.STUDENT_SUPPORT}),
    Purpose.REFERRAL_OUTCOME: frozenset({Purpose.REFERRAL_OUTCOME}),
    Purpose.FAMILY_REQUEST: frozenset(),
    Purpose.RECORD_MANAGEMENT: frozenset(),
}
"""Purpose a directive names → purposes of a request it answers.

In v3-ActReason emergency treatment and break-glass are children of treatment; following that tree would let an ordinary
directive open the emergency door. So nothing here covers them, not even a directive that names them: they have their own
endpoint and basis. Neither does a directive speak for the family's own reading or the hub's record keeping.
"""

PARTS: dict[Purpose, frozenset[Part]] = {
    purpose: frozenset({Part.OUTCOME})
    if purpose is Purpose.REFERRAL_OUTCOME
    else frozenset({Part.PLAN, Part.REFERRAL})
    for purpose in Purpose
}
"""The parts of the record a purpose may ask for under a directive: how a referral ended is a disclosure of its own."""


class Basis(StrEnum):
    """What a plaintext read rests on (ARCHITECTURE §6)."""

    CONSENT = "consent"
    EXCEPTION = "exception"
    OWN = "own"  # what the agency itself sent
    FAMILY = "family"  # a guardian, or the young person, reads their own record
    STEWARD = "steward"  # identity facts in the review of a match


class Effect(StrEnum):
    """Whether a directive opens or closes."""

    PERMIT = "permit"
    DENY = "deny"


class Element(StrEnum):
    """What a permit must have to permit anything; which law asks for which is in `consent/rules`. Named in this order."""

    CATEGORIES = "categories"
    PURPOSES = "purposes"
    RECIPIENT = "recipient"
    DISCLOSERS = "disclosers"
    REGIMES = "regimes"
    NOTICE = "notice"
    SIGNATURE = "signature"
    EXPIRY = "expiry"
    TERM = "term"  # it ends on a day, and no later than the law's longest term allows

    RIGHT_TO_REVOKE = "right-to-revoke"
    CONDITIONING = "conditioning"  # whether anything depends on signing, and what follows from not signing
    REDISCLOSURE = "redisclosure"
    VOLUNTARY = "voluntary"
    INTERMEDIARY = "intermediary-named"  # this hub is named as the one through whom it passes


STATEMENTS: frozenset[Element] = frozenset(
    {
        Element.RIGHT_TO_REVOKE,
        Element.CONDITIONING,
        Element.REDISCLOSURE,
        Element.VOLUNTARY,
        Element.INTERMEDIARY,
    }
)
"""The elements that are sentences of the signed text; the others show in the directive itself."""


class Outcome(StrEnum):
    """What a decision says."""

    PERMIT = "permit"
    PERMIT_WITH_OBLIGATIONS = "permit-with-obligations"
    DENY = "deny"


class Reason(StrEnum):
    """Why, closed (consent.md §5.3). Inside only: to the outside every denial looks alike."""

    GRANTED = "granted"
    OWN_RECORD = "own-record"
    FAMILY_READ = "family-read"
    STEWARD_READ = "steward-read"
    EMERGENCY = "emergency"  # somebody was in danger, and an agency said so

    TENANT_MISMATCH = "tenant-mismatch"  # the snapshot is of another child or recipient
    COURT_ORDER = "court-order"
    SAFETY_HOLD = "safety-hold"
    AGREEMENT_MISSING = "agreement-missing"
    AGREEMENT_EXPIRED = "agreement-expired"
    AGREEMENT_SUSPENDED = "agreement-suspended"
    AGREEMENT_PURPOSE = "agreement-purpose"
    AGREEMENT_CATEGORY = "agreement-category"
    GUARDIAN_DENY = "guardian-deny"

    NO_GRANT = "no-grant"
    RECIPIENT = "recipient"
    PURPOSE = "purpose"
    CATEGORY = "category"
    REVOKED = "revoked"
    NOT_GIVEN = "not-given"  # asked for, refused, ended by the hub: never or no longer a yes
    DISPUTED = "disputed"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    DEFECTIVE = "defective"  # an element the law requires is missing; `element` names it
    AUTHORITY_LAPSED = "authority-lapsed"
    SIGNATURES_MISSING = "signatures-missing"

    PURPOSE_UNKNOWN = "purpose-unknown"
    LABEL_UNKNOWN = "label-unknown"
    EXCEPTION_NOT_ENABLED = "exception-not-enabled"
    OBLIGATION_UNKNOWN = "obligation-unknown"


class Obligation(StrEnum):
    """What must be done with a permit, closed; whoever meets one it does not know denies."""

    REDACT = "REDACT"
    NOTICE = "NOTICE"  # local: carry this notice id
    ATTACH_SCOPE = "ATTACH_SCOPE"  # local: carry the scope of the consent (42 CFR 2.32(b))
    RECORD = "RECORD"  # local: an entry of a kind of its own
    NOTIFY_FAMILY = "NOTIFY_FAMILY"  # local
    NOT_AFTER = "NOT_AFTER"  # local: no use after this instant
    PERSIST_LABEL = "PERSISTLABEL"
    NO_REDISCLOSURE = "NORDSCLCD"
    DELETE_AFTER_USE = "DELAU"
    HUMAN_APPROVAL = "HUAPRV"
