"""The children that stories are told of, the same in every city whatever its seed, and the strings planted in one."""

from dataclasses import dataclass
from datetime import date

from adapters.sandbox.city.names import Tradition
from adapters.sandbox.city.people import Canary


@dataclass(frozen=True, slots=True)
class Role:
    """One child of the cast, before the city gives it numbers."""

    key: str
    first: str
    last: str
    born: date
    sex: str
    grade: int
    middle: str | None = None
    suffix: str | None = None
    preferred: str | None = None
    former_last: str | None = None
    multiple_birth: bool = False


@dataclass(frozen=True, slots=True)
class Adult:
    """One adult of the cast."""

    first: str
    last: str
    relation: str
    language: str
    email: str | None = None
    lives_with: bool = True
    legal: bool = False
    restriction: str | None = None


@dataclass(frozen=True, slots=True)
class Household:
    """A family of the cast."""

    tradition: Tradition
    children: tuple[Role, ...]
    adults: tuple[Adult, ...]
    confidential: bool = False


CAST: tuple[Household, ...] = (
    Household(
        Tradition.HISPANIC,
        (
            Role("maribel", "Maribel", "Reyes Maldonado", date(2018, 2, 14), "female", 3, middle="Luz"),
            Role("teo", "Teodoro", "Reyes Maldonado", date(2015, 4, 3), "male", 6, preferred="Teo"),
        ),
        (
            Adult("Yesenia", "Maldonado Cruz", "Mother", "spa", email="yesenia.mc@mail.example", legal=True),
            Adult("Ramiro", "Reyes Ortega", "Father", "spa", lives_with=False),
        ),
    ),
    Household(
        Tradition.HAITIAN,
        (
            Role("wideline", "Wideline", "Jean-Baptiste", date(2020, 1, 9), "female", 1, multiple_birth=True),
            Role("widelson", "Widelson", "Jean-Baptiste", date(2020, 1, 9), "male", 1, multiple_birth=True),
        ),
        (Adult("Marie-Ange", "Jean-Baptiste", "Mother", "hat"),),
    ),
    Household(
        Tradition.CAPE_VERDEAN,
        (Role("adilson", "Adilson", "Lopes Tavares", date(2016, 6, 30), "male", 5, preferred="Adi"),),
        (
            Adult("Ivone", "Lopes Tavares", "Mother", "kea"),
            Adult("Zenaida", "Lopes", "Grandmother", "kea"),
        ),
    ),
    Household(
        Tradition.VIETNAMESE,
        (
            Role(
                "minh-anh",
                "Minh Anh",
                "Nguyễn",
                date(2014, 3, 21),
                "female",
                7,
                middle="Thị",
                preferred="Annie",
            ),
        ),
        (
            Adult("Lan", "Trần", "Mother", "vie", email="lan.tran@mail.example"),
            Adult("Hùng", "Nguyễn", "Father", "vie"),
        ),
    ),
    Household(
        Tradition.NIGERIAN,
        (
            Role(
                "rosalind",
                "Rosalind",
                "Okafor-Lindqvist",
                date(2019, 5, 17),
                "female",
                2,
                former_last="Okafor",
            ),
        ),
        (Adult("Ifeoma", "Okafor", "Mother", "eng"), Adult("Nils", "Lindqvist", "Father, step", "eng")),
    ),
    Household(
        Tradition.ARABIC,
        (Role("samir", "Samir", "Haddad", date(2013, 1, 28), "male", 8, suffix="Jr."),),
        (
            Adult("Rania", "Khoury", "Aunt", "ara"),
            Adult(
                "Samir",
                "Haddad",
                "Father",
                "ara",
                lives_with=False,
                restriction="Court order on file: may not collect the child from school.",
            ),
        ),
        confidential=True,
    ),
    Household(
        Tradition.BRAZILIAN,
        (Role("sofia-older", "Sofia", "de Almeida", date(2017, 10, 5), "female", 3),),
        (Adult("Larissa", "de Almeida", "Mother", "por"),),
    ),
    Household(
        Tradition.BRAZILIAN,
        (Role("sofia-younger", "Sofia", "de Almeida", date(2018, 10, 5), "female", 2),),
        (Adult("Caio", "de Almeida", "Father", "por"),),
    ),
)

CANARY_CHILD = "adilson"
SSN = "219-09-9999"  # printed in an old pamphlet as a specimen; never issued to anyone
VISA = "K4471902"
PASSWORD = "kitefish-93-lantern"  # noqa: S105 - planted on purpose; it opens nothing
STATUS = "J-2 dependent until 2027-03"
FREE_TEXT = "mother asked us not to tell anyone that her papers run out in March"

CANARIES: tuple[Canary, ...] = (
    Canary("social-security-number", SSN, "Ed-Fi students: _ext"),
    Canary(
        "social-security-number",
        SSN.replace("-", ""),
        "FHIR Patient.identifier; Ed-Fi identification code SSN",
    ),
    Canary("visa", VISA, "Ed-Fi students: _ext; plan sheet: note_internal; FHIR Condition.note"),
    Canary("visa", STATUS, "Ed-Fi students: _ext"),
    Canary("password", PASSWORD, "OneRoster users: password; attendance sheet: portal_password"),
    Canary(
        "free-text", FREE_TEXT, "Ed-Fi: counselorNotes, a member no schema has; plan sheet: note_internal"
    ),
)
