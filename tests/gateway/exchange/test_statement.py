"""The accounts 34 CFR 99.32, 45 CFR 164.528 and 42 CFR 2.24 ask for, projected from the one log."""

import csv
import io
from datetime import timedelta
from html.parser import HTMLParser
from uuid import uuid4

import pytest

from consent.accounting import Account
from consent.entry import Emergency, EntryKind
from consent.vocabulary import Basis
from gateway.exchange.disclosure import Refused
from gateway.exchange.release import release
from gateway.exchange.statement import COLUMNS, LABEL, Statement, as_csv, as_html, state
from mappings.record.category import Category
from mappings.record.regime import Regime
from tests.gateway.exchange.test_accounting import entered
from tests.gateway.family import add_agency, let_out, now


@pytest.fixture
def clinic(hub):
    return add_agency(hub, programme=Category.HEALTH)


def asked(hub, family, account: Account) -> Statement:
    told = state(hub, family.child, account, guardian_link=family.link, requester="front desk")
    assert isinstance(told, Statement), told
    return told


def put(hub, family, agency, *regimes, kind=EntryKind.DISCLOSURE, **more) -> str:
    more = {"payload_sha256": "0" * 64, "regimes": regimes} | more
    return str(entered(hub, family, kind, agency, **more))


def test_the_education_account_holds_what_99_32_asks_for_with_who_why_and_what(hub, family, clinic):
    family.states(clinic, Category.SCHOOL)
    refused = release(hub, family.request(clinic))
    assert isinstance(refused, Refused)
    rows = {row["entry"]: row for row in asked(hub, family, Account.FERPA).rows}
    row = rows[str(refused.entry)]
    assert (row["party"], row["required"], row["because"]) == (clinic, "yes", "99.32(a)(1)")
    assert row["interest"] == "to plan support together (consent)"
    assert row["description"] == "plan read in a test: School"
    assert row["left"] == "no"


def test_a_disclosure_with_consent_is_told_and_marked_as_recorded_anyway(hub, family, clinic):
    family.states(add_agency(hub), Category.SCHOOL)
    family.permits(clinic, Category.SCHOOL)
    out = let_out(hub, family.request(clinic))
    (row,) = [row for row in asked(hub, family, Account.FERPA).rows if row["entry"] == str(out.sealed.entry)]
    assert (row["required"], row["because"], row["left"]) == ("no, recorded anyway", "99.32(d)(3)", "yes")


def test_an_emergency_states_the_threat_and_the_parties(hub, family, clinic):
    threat = Emergency(
        threat_statement="a named threat", affected_person="a pupil", personnel="a nurse", affiliation=clinic
    )
    number = put(
        hub,
        family,
        clinic,
        Regime.EDU,
        kind=EntryKind.BREAK_GLASS,
        basis=Basis.EXCEPTION,
        emergency=threat,
        onward_parties=("police",),
    )
    (row,) = [row for row in asked(hub, family, Account.FERPA).rows if row["entry"] == number]
    assert (row["threat"], row["threatened"], row["further_parties"]) == (
        "a named threat",
        "a pupil",
        "police",
    )
    assert row["because"] == "99.32(a)(1), (a)(5)"


def test_each_law_tells_of_its_own_records_only(hub, family, clinic):
    school = put(hub, family, clinic, Regime.EDU)
    health = put(hub, family, clinic, Regime.HLTH, recipient_address="1 Elm Street")
    substance = put(hub, family, clinic, Regime.P2, Regime.HLTH)
    numbers = {account: {row["entry"] for row in asked(hub, family, account).rows} for account in Account}
    assert numbers[Account.HIPAA] == {health, substance}
    assert numbers[Account.PART2] == {substance}
    assert school in numbers[Account.FERPA]
    assert not numbers[Account.FERPA] & {health, substance}
    assert numbers[Account.FAMILY] >= {school, health, substance}
    (row,) = [row for row in asked(hub, family, Account.HIPAA).rows if row["entry"] == health]
    assert row["address"] == "1 Elm Street"
    assert set(row) == set(COLUMNS[Account.HIPAA])


def test_hipaa_reaches_back_six_years_part_2_three_and_the_others_to_the_start(hub, family, clinic):
    years = {n: now() - timedelta(days=366 * n) for n in (2, 4, 7)}
    numbers = {
        n: put(hub, family, clinic, Regime.P2, Regime.HLTH, Regime.EDU, at=at) for n, at in years.items()
    }
    found = {account: asked(hub, family, account) for account in Account}
    held = {account: {row["entry"] for row in one.rows} for account, one in found.items()}
    assert held[Account.PART2] == {numbers[2]}
    assert held[Account.HIPAA] == {numbers[2], numbers[4]}
    assert held[Account.FERPA] >= set(numbers.values())
    assert found[Account.FERPA].since is None


def test_a_law_that_names_a_time_to_answer_gives_the_last_day(hub, family):
    part2, ferpa = asked(hub, family, Account.PART2), asked(hub, family, Account.FERPA)
    assert part2.answer_by == part2.asked_on + timedelta(days=30)
    assert ferpa.answer_by is None


def test_the_reading_is_an_entry_that_names_the_section(hub, family):
    first = asked(hub, family, Account.HIPAA)
    told = {row["entry"]: row for row in asked(hub, family, Account.FERPA).rows}
    assert told[str(first.entry)]["description"].startswith("account of disclosures, 45 CFR 164.528")
    assert told[str(first.entry)]["because"] == "99.32(d)(1)"


def test_who_may_not_read_is_refused_every_account(hub, family):
    for account in Account:
        assert isinstance(
            state(hub, family.child, account, guardian_link=uuid4(), requester="front desk"), Refused
        )


def test_the_csv_has_the_sections_columns_and_no_cell_a_spreadsheet_computes(hub, family, clinic):
    put(hub, family, clinic, Regime.HLTH, description="=HYPERLINK(1)")
    told = asked(hub, family, Account.HIPAA)
    (row,) = csv.DictReader(io.StringIO(as_csv(told)))
    assert tuple(row) == COLUMNS[Account.HIPAA]
    assert row["description"].startswith("'=HYPERLINK(1)")


class Page(HTMLParser):
    """Counts the elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


def test_the_page_escapes_every_value_and_has_no_script_and_fetches_nothing(hub, family, clinic):
    put(hub, family, clinic, Regime.HLTH, description="<script>alert(1)</script><img src=x>")
    text = as_html(asked(hub, family, Account.HIPAA))
    page = Page()
    page.feed(text)
    assert not {"script", "img", "link", "iframe"} & set(page.tags)
    assert page.attributes == {"lang", "charset", "scope"}
    assert page.tags.count("tr") == 2
    assert "&lt;script&gt;" in text
    assert "url(" not in text


def test_the_page_names_no_child(hub, family):
    assert str(family.child) not in as_html(asked(hub, family, Account.FAMILY))


def test_an_account_without_lines_says_so(hub, family):
    assert "Nothing is on record." in as_html(asked(hub, family, Account.PART2))


def test_every_column_has_a_label():
    assert {column for columns in COLUMNS.values() for column in columns} == set(LABEL)
