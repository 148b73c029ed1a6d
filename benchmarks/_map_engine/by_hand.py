"""The three Ed-Fi maps of the benchmark written by hand in Python: same results, same issues, as fast as it stays readable.

It is the ceiling the engine is measured against. It shares the result types, the functions of the registry and the
crosswalk files, since a hand-written map would use them too; it shares no code of the engine.
"""

from benchmarks._map_engine.by_hand_contact import address, language, telecoms
from benchmarks._map_engine.making import clean, code_of, ended, filled, output, refused, required
from benchmarks._map_engine.reading import (
    CANDIDATES,
    EMPTY,
    GRADE,
    OTHER_NAME,
    RELATION,
    SEX,
    Group,
    Issues,
    array,
    bad_item,
    day,
    flag,
    look_up,
    part,
    placed,
    text,
    warn,
    whole,
)  # fmt: skip
from mappings.engine import functions as fn
from mappings.engine.result import MapResult, Output
from mappings.record.issue import IssueCode, Severity

CEDS = "https://ceds.ed.gov/element/000100"


def student(doc: Group) -> MapResult:
    issues: Issues = []
    outputs: list[Output] = []
    key = text(doc, "studentUniqueId", (), issues)
    if key is None:
        refused("the natural key", "studentUniqueId", issues)
        refused("the student it is about", "studentUniqueId", issues)
        return ended([], issues, None, {})
    given = text(doc, "firstName", (), issues)
    middle = text(doc, "middleName", (), issues)
    family = text(doc, "lastSurname", (), issues)
    suffix = text(doc, "generationCodeSuffix", (), issues)
    _official_name(clean(given), clean(middle), clean(family), clean(suffix), outputs, issues)
    _preferred_name(doc, given, family, outputs, issues)
    maiden = text(doc, "maidenName", (), issues)
    if maiden is not None and clean(maiden) is not None:
        outputs.append(
            output(
                "maiden name", "name", filled(use="old", given=clean(given), family=clean(maiden)), "maiden"
            )
        )
    _other_names(doc, outputs, issues)
    born = day(doc, "birthDate", (), issues)
    multiple = flag(doc, "multipleBirthStatus", (), issues)
    if born is not None:
        outputs.append(output("birth-date", "birth-date", filled(date=born, multiple_birth=multiple)))
    elif multiple is not None:
        required("date", "birth-date", (), "birthDate", issues)
    _identifiers(doc, key, outputs, issues)
    sex = code_of(text(doc, "birthSexDescriptor", (), issues))
    sex = look_up(SEX, "sex", sex, (), "birthSexDescriptor", issues)
    if sex is not None:
        outputs.append(output("sex-for-matching", "sex-for-matching", {"sex": sex}))
    return ended(outputs, issues, key, {"student": key})


def _official_name(
    given: str | None,
    middle: str | None,
    family: str | None,
    suffix: str | None,
    outputs: list[Output],
    issues: Issues,
) -> None:
    if family is not None:
        value = filled(use="official", given=given, middle=middle, family=family, suffix=suffix)
        outputs.append(output("official name", "name", value, "official"))
    elif given is not None or middle is not None or suffix is not None:
        required("family", "official name", (), "lastSurname", issues)


def _preferred_name(
    doc: Group, given: str | None, family: str | None, outputs: list[Output], issues: Issues
) -> None:
    first = text(doc, "preferredFirstName", (), issues)
    last = text(doc, "preferredLastSurname", (), issues)
    if first is None and last is None:
        return
    given, family = clean(first or given), clean(last or family)
    if family is not None:
        outputs.append(
            output("preferred name", "name", filled(use="usual", given=given, family=family), "usual")
        )
    elif given is not None:
        required("family", "preferred name", (), "preferredLastSurname", issues)


def _other_names(doc: Group, outputs: list[Output], issues: Issues) -> None:
    seen: dict[str, int] = {}
    for number, other in enumerate(array(doc, "otherNames", (), issues)):
        at = ("otherNames", number)
        if other.__class__ is not dict:
            bad_item(other, at, issues)
            continue
        given = text(other, "firstName", at, issues)
        middle = text(other, "middleName", at, issues)
        family = text(other, "lastSurname", at, issues)
        suffix = text(other, "generationCodeSuffix", at, issues)
        kind = code_of(text(other, "otherNameTypeDescriptor", at, issues))
        use = "nickname"
        if kind is not None:
            use = OTHER_NAME.get(kind.casefold(), "")
            if not use:
                what = "has a code that table 'other_name' does not know; taken as the table's default. Add a row to the table."
                warn(
                    issues,
                    IssueCode.UNKNOWN_CODE,
                    placed(at, "otherNameTypeDescriptor"),
                    what,
                    Severity.INFORMATION,
                )
                use = "nickname"
        surname = clean(family)
        if surname is None:
            if kind is not None or clean(given) or clean(middle) or clean(suffix):
                required("family", "other names", at, "lastSurname", issues)
            continue
        key = "|".join(word for word in (kind.lower() if kind else None, given, family) if word)
        if key in seen:
            seen[key] += 1
            what = "has the same key as an earlier item of this document; kept under a numbered key."
            warn(
                issues, IssueCode.DUPLICATE, placed(at, "otherNameTypeDescriptor"), what, Severity.INFORMATION
            )
            key = f"{key}~{seen[key]}"
        else:
            seen[key] = 1
        value = filled(
            use=use, given=clean(given), middle=clean(middle), family=surname, suffix=clean(suffix)
        )
        outputs.append(output("other names", "name", value, key, f"otherNames.{number}"))


def _identifiers(doc: Group, key: str, outputs: list[Output], issues: Issues) -> None:
    assigner = text(part(doc, "connection", (), issues), "assigner", ("connection",), issues)
    if assigner is None:
        required("assigner", "unique id", (), "connection.assigner", issues)
    else:
        value = {"system": "student-unique-id", "assigner": assigner, "value": key}
        outputs.append(output("unique id", "identifier", value, "student-unique-id"))
    person = part(doc, "personReference", (), issues)
    if person is EMPTY:
        return
    number = text(person, "personId", ("personReference",), issues)
    if number is None:
        return
    source = code_of(text(person, "sourceSystemDescriptor", ("personReference",), issues))
    if assigner is None:
        required("assigner", "person id", (), "connection.assigner", issues)
        return
    system = f"person-{source.lower()}" if source else "person"
    outputs.append(
        output("person id", "identifier", {"system": system, "assigner": assigner, "value": number}, "person")
    )


def enrollment(doc: Group) -> MapResult:
    issues: Issues = []
    child = text(part(doc, "studentReference", (), issues), "studentUniqueId", ("studentReference",), issues)
    school = whole(part(doc, "schoolReference", (), issues), "schoolId", ("schoolReference",), issues)
    start = day(doc, "entryDate", (), issues)
    if child is None:
        refused("the natural key", "studentReference.studentUniqueId", issues)
    if school is None:
        refused("the natural key", "schoolReference.schoolId", issues)
    if start is None:
        refused("the natural key", "entryDate", issues)
    if child is None:
        refused("the student it is about", "studentReference.studentUniqueId", issues)
    subjects = {"student": child} if child is not None else {}
    if child is None or school is None or start is None:
        return ended([], issues, None, subjects)
    end = day(doc, "exitWithdrawDate", (), issues)
    descriptor = text(doc, "entryGradeLevelDescriptor", (), issues)
    words = code_of(descriptor)
    code = look_up(GRADE, "grade", words, (), "entryGradeLevelDescriptor", issues)
    grade = None
    if code is not None:
        grade = {"code": code, "system": CEDS, "display": words}
    elif words is not None:
        grade = filled(code=words, system=fn.descriptor_system(descriptor or ""))
    elif descriptor is not None and fn.descriptor_system(descriptor):
        required("code", "grade", (), "entryGradeLevelDescriptor", issues)
    year = whole(part(doc, "schoolYearTypeReference", (), issues), "schoolYear", ("schoolYearTypeReference",), issues)  # fmt: skip
    value = filled(
        school_key=str(school),
        school_name=text(part(doc, "school", (), issues), "nameOfInstitution", ("school",), issues),
        grade=grade,
        school_year=str(year) if year is not None else None,
        primary=flag(doc, "primarySchool", (), issues),
        period=filled(start=start, end=end),
    )
    made = output("enrollment", "enrollment", value, effective=filled(start=start, end=end))
    return ended([made], issues, f"{child}|{school}|{start}", subjects)


def guardian(doc: Group) -> MapResult:
    issues: Issues = []
    child = text(part(doc, "studentReference", (), issues), "studentUniqueId", ("studentReference",), issues)
    key = text(part(doc, "contactReference", (), issues), "contactUniqueId", ("contactReference",), issues)
    for found, path in (
        (child, "studentReference.studentUniqueId"),
        (key, "contactReference.contactUniqueId"),
    ):
        if found is None:
            refused("the natural key", path, issues)
    if child is None:
        refused("the student it is about", "studentReference.studentUniqueId", issues)
    if key is None:
        refused("the contact it is about", "contactReference.contactUniqueId", issues)
    subjects = filled(student=child, contact=key)
    if child is None or key is None:
        return ended([], issues, None, subjects)
    legal = flag(doc, "legalGuardian", (), issues)
    relation = code_of(text(doc, "relationDescriptor", (), issues))
    record_id = f"{child}|{key}"
    if legal is not True and (relation is None or relation.lower() not in CANDIDATES):
        return ended([], issues, record_id, subjects)
    contact = part(doc, "contact", (), issues)
    value = filled(
        person_key=key,
        name=_guardian_name(contact, issues),
        relationship=look_up(RELATION, "relation", relation, (), "relationDescriptor", issues) or "unknown",
        legal_guardian=legal,
        lives_with=flag(doc, "livesWith", (), issues),
        contact_restricted=text(doc, "contactRestrictions", (), issues) is not None,
        telecoms=telecoms(contact, issues) or None,
        address=address(contact, issues),
        language=language(contact, issues),
    )
    if "name" not in value:
        required("name", "guardian", (), "contact.firstName", issues)
        return ended([], issues, record_id, subjects)
    return ended([output("guardian", "guardian", value, key)], issues, record_id, subjects)


def _guardian_name(contact: Group, issues: Issues) -> Group | None:
    given = clean(text(contact, "firstName", ("contact",), issues))
    middle = clean(text(contact, "middleName", ("contact",), issues))
    family = clean(text(contact, "lastSurname", ("contact",), issues))
    suffix = text(contact, "generationCodeSuffix", ("contact",), issues)
    if family is not None:
        return filled(use="official", given=given, middle=middle, family=family, suffix=suffix)
    if given is not None or middle is not None or suffix is not None:
        required("family", "name", (), "contact.lastSurname", issues)
    return None
