"""`planhub consent account`: the account a law asks for, printed, as a file, or refused."""

import json
import stat

from consent.accounting import Account
from gateway.cli.exits import Exit
from gateway.exchange.statement import COLUMNS
from mappings.record.category import Category


def test_it_prints_the_sections_columns(planhub, only, school, clinic):
    only.states(school, Category.SCHOOL)
    ran = planhub("consent", "account", "--child", only.child, "--as", "hipaa")
    assert ran.code == Exit.OK
    assert ran.out.splitlines()[0] == ",".join(COLUMNS[Account.HIPAA])


def test_a_page_is_written_for_its_owner_alone_and_never_over_another_file(planhub, only, tmp_path):
    path = tmp_path / "account.html"
    words = ("consent", "account", "--child", only.child, "--as", "ferpa", "--html", path)
    assert planhub(*words).code == Exit.OK
    assert path.read_text().startswith("<!doctype html>")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert planhub(*words).code == Exit.USAGE


def test_one_json_object_holds_the_lines_and_the_readings_own_entry(planhub, only):
    told = planhub("consent", "account", "--child", only.child, "--json").json
    assert told["account"] == "family"
    assert told["lines"][-1]["entry"] == str(told["entry"])


def test_two_forms_at_once_are_a_usage_error(planhub, only, tmp_path):
    ran = planhub("consent", "account", "--child", only.child, "--json", "--html", tmp_path / "a.html")
    assert ran.code == Exit.USAGE


def test_who_may_not_read_is_told_why_and_ends_with_6(planhub, only):
    ran = planhub("consent", "account", "--child", only.child, "--guardian", only.other_link)
    assert ran.code == Exit.REFUSED_BY_CONSENT
    assert "the refusal is entry" in ran.err


def test_what_was_signed_is_given_as_fhir_consents(planhub, only, clinic, tmp_path):
    only.permits(clinic, Category.SCHOOL)
    path = tmp_path / "consents.json"
    assert planhub("consent", "fhir", "--child", only.child, "-o", path).code == Exit.OK
    (entry,) = json.loads(path.read_text())["entry"]
    assert entry["resource"]["resourceType"] == "Consent"
    refused = planhub("consent", "fhir", "--child", only.child, "--guardian", only.other_link, "-o", path)
    assert refused.code == Exit.REFUSED_BY_CONSENT
