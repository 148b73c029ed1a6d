"""`planhub apply` and `planhub doctor`: a community is a file, its difference is shown first, and every part can be asked how it is."""

import os
import textwrap
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.cli.exits import Exit
from gateway.exchange import inquiry
from gateway.store.logins import KEYS
from mappings.record.category import Category
from tests import servers
from tests.gateway.family import Family, now

STARTS, ENDS = ((now() + timedelta(days=days)).date().isoformat() for days in (-30, 300))

COMMUNITY = f"""
community: elm-city
name: Elm City
timezone: America/New_York
agencies:
  - {{key: elm-schools, name: Elm City Schools, kind: school-district, programme: school,
     hub_role: school-official-contractor, regimes: [EDU], roster_authority: true}}
  - {{key: elm-clinic, name: Elm Street Clinic, kind: clinic, programme: health, hub_role: business-associate,
     regimes: [HLTH]}}
agreements:
  - {{key: elm-clinic-2026, agency: elm-clinic, purposes: [COC, TREAT], categories: [identity, school, health],
     starts: {STARTS}, ends: {ENDS}}}
connections:
  - {{key: elm-clinic-fhir, agency: elm-clinic, adapter: fhir, config: {{base_url: "http://127.0.0.1:1/fhir"}},
     secrets: {{bearer: "env:ELM_CLINIC_TOKEN"}}}}
"""


@pytest.fixture
def write(tmp_path):
    def written(text: str = COMMUNITY) -> Path:
        path = Path(tmp_path) / "community.yaml"
        path.write_text(textwrap.dedent(text))
        return path

    return written


@pytest.fixture
def applied(planhub, write):
    assert planhub("apply", "-f", write(), "--yes").code == Exit.OK


def findings(planhub) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for one in planhub("doctor", "--json").json["findings"]:
        found.setdefault(one["part"], []).append(one)
    return found


def test_a_dry_run_shows_the_difference_and_changes_nothing(planhub, write):
    ran = planhub("apply", "-f", write(), "--dry-run")
    assert ran.code == Exit.OK
    assert "+ org elm-clinic" in ran.out.splitlines()
    assert "+ agreement elm-clinic-2026" in ran.out.splitlines()
    assert "Run again without --dry-run" in ran.err
    assert planhub("apply", "-f", write(), "--dry-run", "--json").json["changes"]


def test_a_file_that_is_in_force_changes_nothing(planhub, write, applied):
    ran = planhub("apply", "-f", write(), "--json")
    assert (ran.code, ran.json["changes"]) == (Exit.OK, [])


def test_what_changed_is_named_field_by_field_and_what_left_is_retired(planhub, write, applied):
    changed = COMMUNITY.replace("name: Elm Street Clinic", "name: Elm Clinic")
    ran = planhub("apply", "-f", write(changed), "--dry-run")
    assert ran.out.splitlines() == ["~ org elm-clinic (name)"]
    shorter = COMMUNITY[: COMMUNITY.index("connections:")]
    ran = planhub("apply", "-f", write(shorter), "--dry-run")
    assert ran.out.splitlines() == ["- connection elm-clinic-fhir"]


def test_without_a_terminal_nothing_is_applied_unasked(planhub, write):
    ran = planhub("apply", "-f", write(COMMUNITY.replace("Elm City Schools", "Elm Schools")))
    assert (ran.code, "--yes" in ran.err) == (Exit.USAGE, True)


def test_a_fault_in_the_file_is_named_and_nothing_is_applied(planhub, write):
    ran = planhub(
        "apply", "-f", write(COMMUNITY.replace("agency: elm-clinic,", "agency: elm-clinc,")), "--yes"
    )
    assert ran.code == Exit.USAGE
    assert "names agency elm-clinc" in ran.err
    assert "planhub apply -f" in ran.err


def test_the_last_day_of_a_permission_is_the_communitys_day(hub, planhub, write, scan):
    assert (
        planhub(
            "apply", "-f", write(COMMUNITY.replace("America/New_York", "Pacific/Kiritimati")), "--yes"
        ).code
        == Exit.OK
    )
    family = Family(hub)
    last = (now() + timedelta(days=60)).date()
    ran = planhub(
        "consent", "record-paper", "--child", family.child, "--guardian", family.link, "--agency", "elm-clinic",
        "--topic", "school", "--purpose", "COC", "--until", last, "--form", scan, "--notice", "family-form@3", "--yes",
    )  # fmt: skip
    assert ran.code == Exit.OK
    assert f"until {last}" in ran.err
    with hub.db.transaction() as connection:
        (said,) = inquiry.said(connection, family.child)
    midnight = datetime.combine(last + timedelta(days=1), time(), ZoneInfo("Pacific/Kiritimati"))
    assert said.valid_until == midnight
    assert f"until {last}" in planhub("consent", "show", "--child", family.child).out
    assert (
        f"until {last}" in planhub("consent", "log", "--child", family.child, "--guardian", family.link).out
    )


def test_an_agreement_from_the_file_lets_a_familys_yes_count(hub, planhub, applied):
    family = Family(hub)
    words = ("consent", "check", "--child", family.child, "--agency", "elm-clinic", "--topic", "school")
    assert planhub(*words).code == Exit.REFUSED_BY_CONSENT
    family.permits("elm-clinic")
    ran = planhub(*words)
    assert (ran.code, ran.out[:4]) == (Exit.OK, "yes:")
    family.permits("elm-clinic", Category.ACTIVITIES)
    beyond = planhub(*words[:-1], "activities")
    assert (beyond.code, "agreement does not cover this topic" in beyond.out) == (
        Exit.REFUSED_BY_CONSENT,
        True,
    )


def test_the_checkup_ends_with_3_where_a_secret_is_missing_and_names_it(planhub, applied, monkeypatch):
    monkeypatch.delenv("ELM_CLINIC_TOKEN", raising=False)
    ran = planhub("doctor")
    assert ran.code == Exit.CHECK_FAILED
    assert "FAIL  elm-clinic-fhir  env:ELM_CLINIC_TOKEN" in ran.out
    assert ran.err.splitlines()[-1].startswith("1 failed, ")


def test_the_checkup_passes_where_the_secret_is_set_and_never_shows_it(planhub, applied, monkeypatch):
    monkeypatch.setenv("ELM_CLINIC_TOKEN", "swordfish")
    ran = planhub("doctor")
    assert ran.code == Exit.OK
    assert "swordfish" not in ran.out + ran.err


def test_an_agreement_that_ends_soon_is_a_warning(planhub, write, monkeypatch):
    monkeypatch.setenv("ELM_CLINIC_TOKEN", "swordfish")
    soon = (now() + timedelta(days=10)).date().isoformat()
    ending = COMMUNITY.replace(f"ends: {ENDS}", f"ends: {soon}").replace("America/New_York", "Asia/Tokyo")
    assert planhub("apply", "-f", write(ending), "--yes").code == Exit.OK
    (found,) = findings(planhub)["agreements"]
    assert (found["verdict"], found["text"]) == ("WARN", f"elm-clinic-2026 ends {soon}")
    assert planhub("doctor").code == Exit.OK


def test_a_master_key_others_can_read_fails_the_checkup(deployment, planhub, monkeypatch):
    monkeypatch.setenv("ELM_CLINIC_TOKEN", "swordfish")
    key = Path(deployment.environment["PLANHUB_HOME"]) / "keys" / "master.key"
    key.chmod(0o644)
    try:
        (found,) = findings(planhub)["keys"]
    finally:
        key.chmod(0o600)
    assert (found["verdict"], found["step"]) == ("FAIL", f"chmod 600 {key}")


def test_a_setting_that_is_misspelt_is_named_with_the_right_one(planhub, monkeypatch):
    monkeypatch.setenv("PLANHUB_LOG_LEVELS", "debug")
    ran = planhub("doctor")
    assert (ran.code, "did you mean PLANHUB_LOG_LEVEL?" in ran.err) == (Exit.USAGE, True)


@pytest.mark.parametrize("words", [("migrate",), ("review", "list"), ("ledger", "verify")])
def test_a_database_that_does_not_answer_is_unreachable(planhub, monkeypatch, words):
    monkeypatch.setenv("PLANHUB_DATABASE_URL", "postgresql://planhub_app@127.0.0.1:1/planhub")
    monkeypatch.setenv("PLANHUB_DATABASE_ADMIN_URL", "postgresql://planhub_app@127.0.0.1:1/planhub")
    ran = planhub(*words)
    assert ran.code == Exit.UNREACHABLE
    assert "planhub doctor" in ran.err


def test_a_checkup_without_a_database_says_so_instead_of_failing_itself(planhub, monkeypatch):
    monkeypatch.setenv("PLANHUB_DATABASE_URL", "postgresql://planhub_app@127.0.0.1:1/planhub")
    ran = planhub("doctor", "--json")
    assert ran.code == Exit.CHECK_FAILED
    assert {one["part"]: one["verdict"] for one in ran.json["findings"]}["database"] == "FAIL"


def test_a_new_database_is_laid_out_by_migrate_and_safe_to_lay_out_again(
    planhub, postgres, empty_copy, monkeypatch
):
    keys = servers.copy_of(postgres.urls, None, login=KEYS)
    monkeypatch.setenv("PLANHUB_DATABASE_URL", empty_copy.app)
    monkeypatch.setenv("PLANHUB_DATABASE_ADMIN_URL", empty_copy.admin)
    monkeypatch.setenv("PLANHUB_KEYSTORE_URL", keys.app)
    monkeypatch.setenv("PLANHUB_HOME", os.environ["PLANHUB_HOME"] + "-new")
    first = planhub("migrate", "--json")
    again = planhub("migrate", "--json")
    servers.drop(postgres.urls, keys)
    assert (first.code, again.code) == (Exit.OK, Exit.OK)
    assert first.json == again.json
