"""Wrong requests full of what is private, and what the hub answers: nothing of it may come back."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2

from adapters.sandbox import city as town
from gateway.cli.demo.agency import AgencySystem
from gateway.cli.demo.stage import CLINIC, DISTRICT, NUMBER, Stage
from gateway.exchange.connect import sheet_documents
from gateway.exchange.intake import take_in
from gateway.exchange.opening import open_hub

REFUSED = range(400, 600)
FORM = "application/x-www-form-urlencoded"


def ask_wrongly(stage: Stage, folder: Path) -> None:
    """Each wrong request's answer, headers and all, in a file of its own; each must be a refusal."""
    folder.mkdir()
    for number, (name, answer) in enumerate(_answers(stage)):
        assert answer.status_code in REFUSED, f"{name}: {answer.status_code} is no refusal"
        head = "".join(f"{key}: {value}\n" for key, value in answer.headers.multi_items())
        told = f"{answer.status_code}\n{head}\n".encode() + answer.content
        (folder / f"{number:02}-{name}").write_bytes(told)
    (folder / "sheet").write_text("\n".join(_wrong_sheets(stage)))


def _answers(stage: Stage) -> Iterator[tuple[str, httpx2.Response]]:
    child = stage.city.cast["adilson"]
    school = AgencySystem(stage.settings.base_url, f"{DISTRICT}-system", stage.keys[DISTRICT])
    reference = _reference(stage, school)
    private = _private(stage)
    look = "/v1/children/lookup"
    wrongs: dict[str, tuple[str, str, Any]] = {
        "no-such-number": ("POST", look, {"system": NUMBER, "assigner": DISTRICT, "value": child.name}),
        "value-of-wrong-type": ("POST", look, {"system": NUMBER, "assigner": DISTRICT, "value": private}),
        "unknown-members": ("POST", look, private),
        "names-as-members": ("POST", look, dict.fromkeys(private.values(), 1)),
        "name-in-the-path": ("GET", f"/v1/children/{child.name}/plan", None),
        "name-as-a-path": ("GET", f"/v1/{child.name}/{child.address.street}", None),
        "name-in-the-query": ("GET", f"/v1/changes?after={child.name}&most={child.born}", None),
        "another-childs-plan": ("GET", f"/v1/children/{uuid4()}/plan", None),
        "unknown-kind": (
            "POST",
            f"/v1/children/{reference}/plan/contributions",
            {"contributions": [{"kind": child.name, "value": private, "topics": [child.last]}]},
        ),
        "unknown-fields": (
            "POST",
            f"/v1/children/{reference}/plan/contributions",
            {
                "contributions": [
                    {"kind": "goal", "value": private | {child.name: child.name}, "topics": ["school"]}
                ]
            },
        ),
        "bad-referral": (
            "POST",
            "/v1/referrals",
            {
                "child": reference,
                "to_agency": child.name,
                "referral": {"domain": child.name, "reason": private["free-text"], "requested_on": str(child.born) + "x"},
            },
        ),
        "referral-of-nobody": ("POST", "/v1/referrals", {"child": child.name, "referral": private}),
        "a-name-as-referral": ("GET", f"/v1/referrals/{child.name}", None),
    }  # fmt: skip
    for name, (method, path, body) in wrongs.items():
        yield name, school.call(method, path, body)
    yield from _wrong_headers(school, reference, child.name)
    yield from _wrong_bytes(stage, school, private)
    clinic = AgencySystem(stage.settings.base_url, f"{CLINIC}-system", stage.keys[CLINIC])
    yield "not-the-clinics-reference", clinic.call("GET", f"/v1/children/{reference}/plan")


def _wrong_headers(school: AgencySystem, reference: str, name: str) -> Iterator[tuple[str, httpx2.Response]]:
    plan = f"/v1/children/{reference}/plan"
    yield "name-as-purpose", school.call("GET", plan, purpose=name)
    yield "name-as-etag", school.call("POST", f"{plan}/proposals", If_Match=f'"{name}"')
    yield "name-as-token", school.call("GET", plan, Authorization=f"Bearer {name}")
    yield "no-such-method", school.call("PATCH", plan, {"name": name})


def _wrong_bytes(
    stage: Stage, school: AgencySystem, private: dict[str, str]
) -> Iterator[tuple[str, httpx2.Response]]:
    """What a client library would not send: broken JSON, another encoding, another type, a wrong token request."""
    everything = " ".join(private.values())
    broken = {
        "cut-short": b'{"value": "' + everything.encode(),
        "latin-1": ('{"value": "' + private["name"] + '\xe9"}').encode("latin-1"),
        "not-json": everything.encode(),
        "deep": b"[" * 5_000 + everything.encode(),
        "a-list": b'["' + private["name"].encode() + b'"]',
        "twice": f'{{"value": "{private["name"]}", "value": "{private["born"]}"}}'.encode(),
    }
    head = {"Authorization": f"Bearer {school._fresh()}", "Purpose-Of-Use": "COC"}
    url = stage.settings.base_url
    for name, content in broken.items():
        kind = {"Content-Type": "application/json", "Idempotency-Key": uuid4().hex}
        yield name, httpx2.post(url + "/v1/children/lookup", content=content, headers=head | kind, timeout=10)
    typed = head | {"Content-Type": "text/plain", "Idempotency-Key": private["name"]}
    yield (
        "plain-text",
        httpx2.post(url + "/v1/referrals", content=everything.encode(), headers=typed, timeout=10),
    )
    token = url + "/oauth/token"
    yield "token-form", httpx2.post(token, data=private | {"grant_type": private["name"]}, timeout=10)
    signed = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": everything,
    }
    yield "token-assertion", httpx2.post(token, data=signed, timeout=10)


def _wrong_sheets(stage: Stage) -> Iterator[str]:
    """What intake says of a sheet whose every cell is wrong, and of one that is no sheet."""
    child, private = stage.city.cast["adilson"], _private(stage)
    row = {
        "row_id": "wrong-1", "child_id": child.id, "first_name": child.first, "last_name": child.last,
        "birth_date": private["free-text"], "row_kind": child.name, "topic": child.last, "statement": private["visa"],
        "status": child.name, "due_date": child.name, "minutes": child.name,
    }  # fmt: skip
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, town.PLAN_COLUMNS, restval="")
    writer.writeheader()
    writer.writerow(row)
    writer.writerow(row | {"row_id": child.name, "row_kind": "goal", "child_id": private["ssn"]})
    sheets = {
        "cells.csv": text.getvalue().encode(),
        "header.csv": (",".join(private.values()) + "\r\n" + ",".join(private.values())).encode(),
        "long.csv": text.getvalue().encode() + (",".join(private.values()) * 9).encode(),
        "no.xlsx": " ".join(private.values()).encode(),
    }
    with open_hub(stage.settings) as hub:
        for name, data in sheets.items():
            told = take_in(hub, "district-sheet", sheet_documents("wrong", Path(name), data))
            yield f"{name}: {told!r}"


def _private(stage: Stage) -> dict[str, str]:
    """One child's private strings by a harmless name."""
    child = stage.city.cast["adilson"]
    planted = {canary.kind: canary.value for canary in stage.city.canaries}
    return {
        "name": child.name,
        "born": child.born.isoformat(),
        "street": child.address.street,
        "number": child.id,
        "phone": child.guardians[0].phone,
        "ssn": planted["social-security-number"],
        "visa": planted["visa"],
        "free-text": planted["free-text"],
    }


def _reference(stage: Stage, school: AgencySystem) -> str:
    body = {"system": NUMBER, "assigner": DISTRICT, "value": stage.city.cast["adilson"].id}
    return str(school.call("POST", "/v1/children/lookup", body).json()["child"])
