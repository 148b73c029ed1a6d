"""Who the child is and who stands around them: names, identifiers, addresses, guardians, the care team."""

from datetime import date
from enum import StrEnum

from pydantic import Field

from mappings.record.base import Coding, Period, Record


class NameUse(StrEnum):
    """FHIR R4 name-use, the part of it a child's record needs."""

    OFFICIAL = "official"
    USUAL = "usual"
    OLD = "old"
    NICKNAME = "nickname"


class Name(Record):
    """A name as one source writes it. A mononym stands in `family` (HL7 Identity Matching IG)."""

    use: NameUse = NameUse.OFFICIAL
    given: str | None = None
    middle: str | None = None
    family: str
    suffix: str | None = None


class BirthDate(Record):
    """The day of birth, with what is known of a multiple birth (CEDS 000431)."""

    date: date
    multiple_birth: bool | None = None
    birth_order: int | None = Field(default=None, ge=1, le=12)


class Sex(StrEnum):
    """Only for matching; never shown as identity."""

    MALE = "male"
    FEMALE = "female"
    X = "x"
    UNKNOWN = "unknown"


class SexForMatching(Record):
    """The sex a source records, kept for matching only."""

    sex: Sex


class Identifier(Record):
    """A number some organisation gave the child: `system` names the kind, `assigner` who gave it.

    Social security numbers are not a system here and are cut out before intake (ARCHITECTURE §4).
    """

    system: str
    assigner: str
    value: str


class Address(Record):
    """A postal address. `confidential` is the source's do-not-publish flag and travels with it."""

    use: str | None = None
    lines: tuple[str, ...] = ()
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    confidential: bool = False
    period: Period | None = None


class TelecomSystem(StrEnum):
    """How someone is reached."""

    PHONE = "phone"
    SMS = "sms"
    EMAIL = "email"


class Telecom(Record):
    """A phone number or e-mail address of the child or household."""

    system: TelecomSystem
    value: str
    use: str | None = None
    confidential: bool = False


class Language(Record):
    """A language spoken at home (ISO 639) and whether an interpreter is needed."""

    language: str
    interpreter_needed: bool | None = None


class Guardian(Record):
    """A person a source names as the child's parent or guardian.

    A candidate only: no feed decides authority, the hub's own verification step does (ARCHITECTURE §6).
    `contact_restricted` says a restriction is on file; its text stays sealed with the source document.
    """

    person_key: str
    name: Name
    relationship: str
    legal_guardian: bool | None = None
    lives_with: bool | None = None
    contact_restricted: bool = False
    telecoms: tuple[Telecom, ...] = ()
    address: Address | None = None
    language: Language | None = None
    period: Period | None = None


class CareTeamMember(Record):
    """Someone who helps the child, in a role, for an organisation; the primary one is the navigator."""

    person_key: str | None = None
    name: str
    role: Coding
    organization: str | None = None
    primary: bool = False
    period: Period | None = None


class EquityAttribute(Record):
    """What a family chose to say about race, ethnicity, language or status: aggregate use only unless they say otherwise.

    Never inferred. `declined` is a value in its own right and is reported as such.
    """

    attribute: str
    values: tuple[Coding, ...] = ()
    declined: bool = False
    shareable: bool = False
