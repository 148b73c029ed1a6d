"""Security labels on the wire: ours to `meta.security`, and back.

HL7 v3-Confidentiality (one per resource), v3-ActCode sensitivity codes, and the refrain code NORDSCLCD: no redisclosure
without consent. A Bundle carries the highest confidentiality of its entries and nothing else, since a code there would tell
what an entry hides (HL7 DS4P, health.md §2.5).
"""

from collections.abc import Iterable
from typing import Any

from mappings.fhir.element import Json
from mappings.record.category import EXTRA_PRIVATE, Category
from mappings.record.issue import Issue, IssueCode, Severity
from mappings.record.regime import Regime
from mappings.record.sensitivity import Label

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
NO_REDISCLOSURE = "NORDSCLCD"
PART_2 = "42CFRPart2"

_ORDER = (Label.NORMAL, Label.RESTRICTED, Label.VERY_RESTRICTED)

_OF_CATEGORY: dict[Category, Label] = {
    Category.COUNSELING: Label.MENTAL_HEALTH,
    Category.SUBSTANCE_USE: Label.SUBSTANCE_USE,
    Category.SEXUAL_HEALTH: Label.SEXUALITY,
    Category.SAFETY: Label.VIOLENCE,
    Category.LIVING_SITUATION: Label.LIVING_ARRANGEMENT,
}


def confidentiality(labels: Iterable[Label], categories: Iterable[Category]) -> Label:
    """The one confidentiality code: the highest given, at least R where a topic is extra-private or nothing was said."""
    given = [label for label in labels if label in _ORDER]
    if not given or any(category in EXTRA_PRIVATE for category in categories):
        given.append(Label.RESTRICTED)
    return max(given, key=_ORDER.index)


def security(
    labels: frozenset[Label], categories: frozenset[Category], regimes: frozenset[Regime]
) -> list[dict[str, str]]:
    """`meta.security` of one resource, in a fixed order."""
    marks = {label for label in labels if label not in _ORDER}
    marks |= {_OF_CATEGORY[category] for category in categories if category in _OF_CATEGORY}
    coded = [{"system": CONFIDENTIALITY, "code": str(confidentiality(labels, categories))}]
    coded += [{"system": ACT_CODE, "code": str(mark)} for mark in sorted(marks)]
    if Regime.P2 in regimes:
        coded.append({"system": ACT_CODE, "code": PART_2})
    return [*coded, {"system": ACT_CODE, "code": NO_REDISCLOSURE}]


def high_water(securities: Iterable[list[dict[str, str]]]) -> list[dict[str, str]]:
    """`meta.security` of a Bundle: the highest confidentiality among its entries, alone."""
    found = [
        Label(code["code"]) for codes in securities for code in codes if code["system"] == CONFIDENTIALITY
    ]
    highest = max(found, key=_ORDER.index, default=Label.RESTRICTED)
    return [{"system": CONFIDENTIALITY, "code": str(highest)}]


_ACT_CODE_NAMES = frozenset(
    {
        ACT_CODE,
        "http://hl7.org/fhir/v3/ActCode",
        "http://terminology.hl7.org/ValueSet/v3-InformationSensitivityPolicy",
        "urn:oid:2.16.840.1.113883.5.4",
    }
)
_CONFIDENTIALITY_NAMES = frozenset(
    {CONFIDENTIALITY, "http://hl7.org/fhir/v3/Confidentiality", "urn:oid:2.16.840.1.113883.5.25"}
)
_ONLY_RESTRICTED = (
    "GDIS SCA SICKLE DVD COGN DEMO DOB GENDER MARST RACE REL B EMPL LOCIS SSP CEL DIA DRGIS EMP PDS PHY PRS"
)
_READ_AS: dict[str, Label] = {
    **dict.fromkeys(_ONLY_RESTRICTED.split(), Label.RESTRICTED),
    **{str(label): label for label in Label if label not in _ORDER},
    "ETH": Label.SUBSTANCE_USE,
    "MST": Label.SEXUAL_DOMESTIC_VIOLENCE,
    "EMOTDIS": Label.MENTAL_HEALTH,
    "SPI": Label.VERY_RESTRICTED,
    "TBOO": Label.VERY_RESTRICTED,
    PART_2: Label.SUBSTANCE_USE,
    "Title38Section7332": Label.SUBSTANCE_USE,
    "HIPAAPsyNotes": Label.PSYCHOTHERAPY_NOTES,
}
"""What a sensitivity or law code of v3-ActCode is kept as; one that is not here is unknown and so very restricted."""

_REFRAINS = (
    "NOAUTH NOCOLLECT NODSCLCD NODSCLCDS NOINTEGRATE NOLIST NOMOU NOORGPOL NOPAT NOPERSISTP NORDSCLCD NORDSCLCDS "
    "NORDSCLW NORELINK NOREUSE NOVIP ORCON"
)
_OBLIGATIONS = (
    "ANONY AOD AUDIT AUDTR CPLYCC CPLYCD CPLYJPP CPLYOPP CPLYOSP CPLYPOL DECLASSIFYLABEL DEID DELAU DOWNGRDLABEL "
    "DRIVLABEL ENCRYPT ENCRYPTR ENCRYPTT ENCRYPTU HUAPRV LABEL MASK MINEC PERSISTLABEL PRIVMARK PSEUD REDACT UPGRDLABEL"
)
_HANDLING = frozenset(f"{_REFRAINS} {_OBLIGATIONS} CommonRule HIPAANOPP HIPAASelfPay".split())
"""Obligations and refrains: how to handle, not what it is about. The hub discloses nothing without a decision anyway."""

_ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_PURPOSE_CODES = (
    "HTEST TREAT ETREAT BTG CAREMGT CLINTRCH COC HPAYMT HOPERAT PUBHLTH HRESCH PATRQT FAMRQT PWATRNY SUPNWK ELIGDTRM "
    "ENROLLM"
)
_PURPOSES = frozenset(_PURPOSE_CODES.split())
"""Purposes of use: they say what for, not what it is about."""

_CONFIDENTIALITY_READ_AS = {
    "U": Label.NORMAL,
    "L": Label.NORMAL,
    "M": Label.NORMAL,
    **{str(x): x for x in _ORDER},
}


def labels_read(resource: Json) -> tuple[frozenset[Label], frozenset[Regime], bool, tuple[Issue, ...]]:
    """Labels and regimes in a received resource's `meta.security`, and whether any label is unknown to us.

    An unknown system or code is never read as no restriction: it counts as very restricted, with an issue.
    """
    meta = resource.get("meta")
    given = meta.get("security") if isinstance(meta, dict) else None
    labels: set[Label] = set()
    regimes: set[Regime] = set()
    issues = []
    for index, coding in enumerate(given if isinstance(given, list) else ()):
        label = _read(coding)
        if label is None:
            text = "an unknown security label; the fact is kept as very restricted. Use HL7 v3-ActCode."
            path = f"{resource.get('resourceType')}.meta.security.{index}"
            issues.append(Issue(severity=Severity.WARNING, code=IssueCode.UNKNOWN_CODE, path=path, text=text))
            labels.add(Label.VERY_RESTRICTED)
        else:
            labels |= label
            if label & {Label.SUBSTANCE_USE, Label.SUBSTANCE_USE_ALCOHOL_DRUG, Label.OPIOID_USE}:
                regimes.add(Regime.P2)
    return frozenset(labels), frozenset(regimes), bool(issues), tuple(issues)


def _read(coding: Any) -> frozenset[Label] | None:
    """The labels of one coding, empty for how to handle and what for, None where it is unknown."""
    system = coding.get("system") if isinstance(coding, dict) else None
    code = coding.get("code") if isinstance(coding, dict) else None
    if not isinstance(code, str):
        return None
    if system in _CONFIDENTIALITY_NAMES and code in _CONFIDENTIALITY_READ_AS:
        return frozenset({_CONFIDENTIALITY_READ_AS[code]})
    if (system in _ACT_CODE_NAMES and code in _HANDLING) or (system == _ACT_REASON and code in _PURPOSES):
        return frozenset()
    if system in _ACT_CODE_NAMES and code in _READ_AS:
        return frozenset({_READ_AS[code]})
    return None
