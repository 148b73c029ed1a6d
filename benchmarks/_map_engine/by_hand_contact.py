"""The part of a guardian that is read from the contact, by hand: phones, e-mails, address, language."""

from typing import Any

from benchmarks._map_engine.making import code_of, filled, required
from benchmarks._map_engine.reading import (
    ADDRESS_USE,
    EMAIL_USE,
    PHONE_USE,
    At,
    Group,
    Issues,
    array,
    bad_item,
    day,
    flag,
    look_up,
    placed,
    text,
    warn,
)  # fmt: skip
from mappings.engine import functions as fn
from mappings.record.issue import IssueCode


def telecoms(contact: Group, issues: Issues) -> list[Group]:
    phones: list[Group] = []
    texts: list[Group] = []
    for number, phone in enumerate(array(contact, "telephones", ("contact",), issues)):
        at = ("contact", "telephones", number)
        if phone.__class__ is not dict:
            bad_item(phone, at, issues)
            continue
        kind = code_of(text(phone, "telephoneNumberTypeDescriptor", at, issues))
        can_text = flag(phone, "textMessageCapabilityIndicator", at, issues)
        fax = kind is not None and kind.lower() == "fax"
        if fax and can_text is not True:
            continue
        written = text(phone, "telephoneNumber", at, issues)
        value = _read(fn.phone, "phone", written, at, "telephoneNumber", issues)
        use = look_up(PHONE_USE, "phone_use", kind, at, "telephoneNumberTypeDescriptor", issues)
        hidden = flag(phone, "doNotPublishIndicator", at, issues)
        if not fax:
            unlisted = hidden is True or (kind is not None and kind.lower() == "unlisted")
            if value is not None:
                phones.append(filled(system="phone", value=value, use=use, confidential=unlisted))
            else:
                required("value", "telecoms", at, "telephoneNumber", issues)
        if can_text is True:
            if value is not None:
                texts.append(filled(system="sms", value=value, use=use, confidential=bool(hidden)))
            elif use is not None or hidden is not None:
                required("value", "telecoms", at, "telephoneNumber", issues)
    return phones + texts + _emails(contact, issues)


def _emails(contact: Group, issues: Issues) -> list[Group]:
    found: list[Group] = []
    for number, mail in enumerate(array(contact, "electronicMails", ("contact",), issues)):
        at = ("contact", "electronicMails", number)
        if mail.__class__ is not dict:
            bad_item(mail, at, issues)
            continue
        kind = code_of(text(mail, "electronicMailTypeDescriptor", at, issues))
        written = text(mail, "electronicMailAddress", at, issues)
        value = _read(fn.email, "email", written, at, "electronicMailAddress", issues)
        use = look_up(EMAIL_USE, "email_use", kind, at, "electronicMailTypeDescriptor", issues)
        hidden = flag(mail, "doNotPublishIndicator", at, issues)
        if value is not None:
            found.append(filled(system="email", value=value, use=use, confidential=bool(hidden)))
        elif use is not None or hidden is not None:
            required("value", "telecoms", at, "electronicMailAddress", issues)
    return found


def _read(call: Any, name: str, value: str | None, at: At, field: str, issues: Issues) -> str | None:
    if value is None:
        return None
    try:
        made: str | None = call(value)
    except ValueError:
        warn(
            issues,
            IssueCode.BAD_VALUE,
            placed(at, field),
            f"could not be read as {name}; left out. Correct it at the source.",
        )
        return None
    return made


def address(contact: Group, issues: Issues) -> Group | None:
    for number, found in enumerate(array(contact, "addresses", ("contact",), issues)):
        at = ("contact", "addresses", number)
        if found.__class__ is not dict:
            bad_item(found, at, issues)
            continue
        kind = code_of(text(found, "addressTypeDescriptor", at, issues))
        if kind is None or kind.lower() not in {"home", "physical", "mailing"}:
            continue
        names = ("streetNumberName", "apartmentRoomSuiteNumber", "buildingSiteNumber")
        lines = [line for name in names if (line := text(found, name, at, issues)) is not None]
        hidden = flag(found, "doNotPublishIndicator", at, issues)
        return filled(
            use=look_up(ADDRESS_USE, "address_use", kind, at, "addressTypeDescriptor", issues),
            lines=lines or None,
            city=text(found, "city", at, issues),
            state=code_of(text(found, "stateAbbreviationDescriptor", at, issues)),
            postal_code=text(found, "postalCode", at, issues),
            confidential=bool(hidden),
            period=_period(found, at, issues),
        )
    return None


def _period(address: Group, at: At, issues: Issues) -> Group | None:
    for number, period in enumerate(array(address, "periods", at, issues)):
        here = (*at, "periods", number)
        if period.__class__ is not dict:
            bad_item(period, here, issues)
            continue
        start = day(period, "beginDate", here, issues)
        end = day(period, "endDate", here, issues)
        if start is not None or end is not None:
            return filled(start=start, end=end)
    return None


def language(contact: Group, issues: Issues) -> Group | None:
    for number, one in enumerate(array(contact, "languages", ("contact",), issues)):
        at = ("contact", "languages", number)
        if one.__class__ is not dict:
            bad_item(one, at, issues)
            continue
        code = code_of(text(one, "languageDescriptor", at, issues))
        if code is not None:
            return {"language": code.lower()}
    return None
