"""The demo's stage: an invented city's partners on loopback, a home of its own, and the community file that ties them.

Everything is real but the people: the servers speak HTTP, the broker rings real workers, the database is PostgreSQL.
"""

import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import jwt
import yaml
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.sandbox import city as town
from adapters.sandbox.city import City
from adapters.sandbox.edfi import EdFiSandbox
from adapters.sandbox.fhir import FhirSandbox
from adapters.sandbox.partner import PartnerSandbox
from gateway.settings import Settings, load_settings
from gateway.store.clients import Scope
from gateway.store.place import forget_home
from mappings.record.category import EXTRA_PRIVATE, Category

DISTRICT, CLINIC, PROGRAMME, MENTORS = "district", "clinic", "after-school", "mentors"
NAMES = {DISTRICT: town.DISTRICT, CLINIC: town.CLINIC, PROGRAMME: town.PROGRAMME, MENTORS: town.MENTORS}
RESOURCES = [
    f"ed-fi/{name}"
    for name in (
        "schools",
        "students",
        "studentSchoolAssociations",
        "studentEducationOrganizationAssociations",
        "contacts",
        "studentContactAssociations",
        "staffs",
        "staffEducationOrganizationAssignmentAssociations",
    )
]
NUMBER = "student-unique-id"
"""What the community calls the district's student number, whatever each system calls it."""
OPEN_TOPICS = [c.value for c in Category if c not in EXTRA_PRIVATE]


@dataclass(frozen=True, slots=True)
class Stage:
    """What the story is played on. `keys` are the private keys of the agencies' own systems."""

    city: City
    edfi: EdFiSandbox
    clinic: FhirSandbox
    mentors: PartnerSandbox
    root: Path
    folder: Path
    settings: Settings
    environment: dict[str, str]
    community: Path
    keys: dict[str, ec.EllipticCurvePrivateKey]


@contextmanager
def set_stage(children: int = 300) -> Iterator[Stage]:
    """Partners started, files written; everything is stopped and removed at the end."""
    city = City.build(children=children)
    with ExitStack() as stack:
        root = Path(tempfile.mkdtemp(prefix="planhub-demo-"))
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        root.chmod(0o711)  # the database's own account must be able to walk through
        home = root / "home"
        stack.callback(forget_home, home)
        edfi = stack.enter_context(EdFiSandbox(town.edfi_documents(city)).start())
        clinic = stack.enter_context(FhirSandbox(town.clinic_resources(city)).start())
        mentors = stack.enter_context(PartnerSandbox().start())
        folder = root / "after-school"
        for part in ("out", "in"):
            (folder / part).mkdir(parents=True)
        keys = {name: ec.generate_private_key(ec.SECP384R1()) for name in (DISTRICT, CLINIC, PROGRAMME)}
        community = root / "community.yaml"
        roster = root / "roster.zip"
        roster.write_bytes(town.oneroster_zip(city))
        text = yaml.safe_dump(_community(edfi, clinic, mentors, folder, roster, keys), sort_keys=False)
        community.write_text(text, encoding="utf-8")
        overrides = {
            "home": home,
            "allow_loopback_partners": True,
            "port": _free_port(),
            "log_level": "error",
        }
        environment = _environment(overrides, edfi, mentors)
        os.environ.update(environment)
        stack.callback(_forget_environment, environment)
        settings = load_settings()
        yield Stage(city, edfi, clinic, mentors, root, folder, settings, environment, community, keys)


def _forget_environment(environment: dict[str, str]) -> None:
    for name in environment:
        os.environ.pop(name, None)


def _environment(overrides: dict[str, Any], edfi: EdFiSandbox, mentors: PartnerSandbox) -> dict[str, str]:
    """What the demo's own processes are given; nothing of the caller's Planhub settings is used."""
    for name in [n for n in os.environ if n.startswith("PLANHUB_") and not n.startswith("PLANHUB_TEST_")]:
        if name not in {"PLANHUB_VENV", "PLANHUB_PYTHON"}:
            del os.environ[name]
    given = {f"PLANHUB_{name.upper()}": str(value) for name, value in overrides.items()}
    return given | {
        "DEMO_EDFI_ID": edfi.client_id,
        "DEMO_EDFI_SECRET": edfi.client_secret,
        "DEMO_MENTORS_SECRET": mentors.secret,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).resolve().parents[3]), *sys.path[:0]]),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    public: dict[str, Any] = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    return public | {"kid": "demo"}


def _community(
    edfi: EdFiSandbox,
    clinic: FhirSandbox,
    mentors: PartnerSandbox,
    folder: Path,
    roster: Path,
    keys: dict[str, ec.EllipticCurvePrivateKey],
) -> dict[str, Any]:
    """The community file of the invented city."""
    return {
        "community": "brindlecove",
        "name": "Brindlecove",
        "timezone": "America/New_York",
        "agencies": _agencies(),
        "agreements": [
            {
                "key": f"{name}-2026",
                "agency": name,
                "purposes": ["COC", "STUSUP", "REFOUT"],
                "categories": OPEN_TOPICS if name != CLINIC else [c.value for c in Category],
                "starts": date(2026, 7, 1),
                "ends": date(2027, 7, 1),
            }
            for name in NAMES
        ],
        "connections": _connections(edfi, clinic, mentors, folder, roster),
        "subscriptions": _subscriptions(),
        "clients": [
            {
                "client_id": f"{name}-system",
                "agency": name,
                "jwks": {"keys": [_jwk(key)]},
                "scopes": [s.value for s in Scope],
                "purposes": ["COC", "REFOUT"] if name == DISTRICT else ["COC"],
            }
            for name, key in keys.items()
        ],
    }


def _connections(
    edfi: EdFiSandbox, clinic: FhirSandbox, mentors: PartnerSandbox, folder: Path, roster: Path
) -> list[dict[str, Any]]:
    return [
        {
            "key": "district-edfi",
            "agency": DISTRICT,
            "adapter": "edfi",
            "config": {"base_url": edfi.base_url, "resources": RESOURCES},
            "secrets": {"client_id": "env:DEMO_EDFI_ID", "client_secret": "env:DEMO_EDFI_SECRET"},
        },
        {
            "key": "district-roster",
            "agency": DISTRICT,
            "adapter": "oneroster-csv",
            "config": {"file": str(roster)},
        },
        {
            "key": "district-sheet",
            "agency": DISTRICT,
            "adapter": "plan-sheet",
            "config": {"identifier_systems": {"local": "student-unique-id"}},
        },
        {"key": "district-api", "agency": DISTRICT, "adapter": "api"},
        {
            "key": "clinic-fhir",
            "agency": CLINIC,
            "adapter": "fhir",
            "config": {
                "base_url": clinic.base_url,
                "identifier_systems": {town.STUDENT_NUMBER: "student-unique-id"},
            },
        },
        {
            "key": "after-school-folder",
            "agency": PROGRAMME,
            "adapter": "worklist-folder",
            "config": {"drop": str(folder / "out"), "pick_up": str(folder / "in")},
        },
        {
            "key": "mentors-webhook",
            "agency": MENTORS,
            "adapter": "webhook",
            "config": {"url": mentors.base_url},
            "secrets": {"signing": "env:DEMO_MENTORS_SECRET"},
        },
    ]


def _agencies() -> list[dict[str, Any]]:
    rows = (
        (DISTRICT, "school-district", "school", "school-official-contractor", "EDU"),
        (CLINIC, "clinic", "health", "business-associate", "HLTH"),
        (PROGRAMME, "community", "activities", "intermediary", "FAM"),
        (MENTORS, "mentoring", "activities", "intermediary", "FAM"),
    )
    return [
        {
            "key": key,
            "name": NAMES[key],
            "kind": kind,
            "programme": programme,
            "hub_role": role,
            "regimes": [regime],
            "roster_authority": key == DISTRICT,
        }
        for key, kind, programme, role, regime in rows
    ]


def _subscriptions() -> list[dict[str, Any]]:
    wanted = (
        (CLINIC, "clinic-fhir", "COC", ["plan", "referral"]),
        (PROGRAMME, "after-school-folder", "COC", ["plan", "referral"]),
        (MENTORS, "mentors-webhook", "COC", ["plan"]),
        (DISTRICT, "district-api", "REFOUT", ["outcome"]),
    )
    return [
        {
            "key": f"{agency}-{'-'.join(parts)}",
            "agency": agency,
            "connection": connection,
            "purpose": purpose,
            "parts": parts,
            "categories": OPEN_TOPICS,
        }
        for agency, connection, purpose, parts in wanted
    ]
