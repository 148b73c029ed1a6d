"""The community file: agencies, agreements, connections, subscriptions and clients as configuration in one file.

Read strictly: unknown keys fail, names must resolve, and secrets are references (`env:NAME` or `file:/path`), never values.
Each entry says which row it is. Agreements bound consent (ARCHITECTURE §6).
"""

from datetime import date, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from consent.agreement import AgreementStatus, HubRole
from consent.law import DEFAULT, Slug
from consent.vocabulary import Purpose
from gateway.store.clients import Scope
from mappings.record.category import Category
from mappings.record.kind import Part
from mappings.record.regime import Regime

Row = dict[str, Any]
Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
SecretRef = Annotated[str, Field(pattern=r"^(env:[A-Z][A-Z0-9_]*|file:/.+)$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class AgencyKind(StrEnum):
    """What an agency is, as a family would say it."""

    SCHOOL_DISTRICT = "school-district"
    CLINIC = "clinic"
    COMMUNITY = "community"
    MENTORING = "mentoring"


class AdapterKind(StrEnum):
    """How an agency's system is reached."""

    EDFI = "edfi"
    ONEROSTER_CSV = "oneroster-csv"
    FHIR = "fhir"
    WORKLIST_FOLDER = "worklist-folder"
    PLAN_SHEET = "plan-sheet"
    WEBHOOK = "webhook"
    API = "api"  # the agency's system collects its changes itself


class Agency(_Strict):
    """One agency. `programme` is the category its very name reveals."""

    key: Key
    name: str = Field(min_length=1, max_length=200)
    kind: AgencyKind
    programme: Category
    hub_role: HubRole
    regimes: tuple[Regime, ...] = Field(min_length=1)
    roster_authority: bool = False

    def row(self) -> Row:
        """Columns of table `org`."""
        return {
            "name": self.name,
            "kind": self.kind.value,
            "programme_category": self.programme.value,
            "hub_role": self.hub_role.value,
            "regimes": [regime.value for regime in self.regimes],
            "roster_authority": "yes" if self.roster_authority else "no",
            "status": "active",
        }


class Agreement(_Strict):
    """A data-sharing agreement in force: what may ever flow to the agency, whatever a family grants."""

    key: Key
    agency: Key
    purposes: tuple[Purpose, ...] = Field(min_length=1)
    categories: tuple[Category, ...] = Field(min_length=1)
    starts: date
    ends: date

    @model_validator(mode="after")
    def _ends_after_start(self) -> "Agreement":
        if self.ends <= self.starts:
            raise ValueError("an agreement ends after it starts")
        return self

    def row(self, hub_role: HubRole, zone: ZoneInfo) -> Row:
        """Columns of table `agreement`; days begin at midnight where the community is."""
        return {
            "org": self.agency,
            "hub_role": hub_role.value,
            "purposes": [purpose.value for purpose in self.purposes],
            "categories": [category.value for category in self.categories],
            "valid_from": datetime.combine(self.starts, time(), zone),
            "valid_until": datetime.combine(self.ends, time(), zone),
            "status": AgreementStatus.IN_FORCE.value,
        }


class AgencyConnection(_Strict):
    """One system of an agency: adapter, address and options, the maps it uses, secrets by reference."""

    key: Key
    agency: Key
    adapter: AdapterKind
    config: dict[str, Any] = {}
    secrets: dict[str, SecretRef] = {}
    maps: dict[str, str] = {}

    @field_validator("config")
    @classmethod
    def _no_secret_values(cls, config: dict[str, Any]) -> dict[str, Any]:
        suspicious = [
            k for k in config if any(w in k.lower() for w in ("secret", "password", "token", "private"))
        ]
        if suspicious:
            raise ValueError(
                f"{', '.join(suspicious)}: a secret is never a value in this file; name it under `secrets` as env:NAME or file:/path"
            )
        return config

    def row(self) -> Row:
        """Columns of table `connection`; the references of its secrets stand in its config."""
        return {
            "org": self.agency,
            "adapter": self.adapter.value,
            "config": {**self.config, "secrets": dict(self.secrets)},
            "maps": dict(self.maps),
            "status": "active",
        }


class Subscription(_Strict):
    """What an agency asks to be sent, and why. Asking permits nothing."""

    key: Key
    agency: Key
    connection: Key
    purpose: Purpose
    parts: tuple[Part, ...] = (Part.PLAN,)
    categories: tuple[Category, ...] = Field(min_length=1)

    def row(self) -> Row:
        """Columns of table `subscription`."""
        return {
            "org": self.agency,
            "connection": self.connection,
            "purpose": self.purpose.value,
            "parts": [part.value for part in self.parts],
            "categories": [category.value for category in self.categories],
            "status": "active",
        }


class Client(_Strict):
    """A system of an agency that calls the API with its own key (private_key_jwt)."""

    client_id: Key
    agency: Key
    jwks: dict[str, Any]
    scopes: tuple[Scope, ...] = Field(min_length=1)
    purposes: tuple[Purpose, ...] = Field(min_length=1)

    def row(self) -> Row:
        """Columns of table `api_client`."""
        return {
            "org": self.agency,
            "jwks": self.jwks,
            "scopes": [scope.value for scope in self.scopes],
            "purposes": [purpose.value for purpose in self.purposes],
            "status": "active",
        }


class Community(_Strict):
    """The whole file. `timezone` says when its days begin, `jurisdiction` which law rows hold (consent/rules)."""

    community: Key
    name: str
    timezone: str = "UTC"
    jurisdiction: Slug = DEFAULT
    agencies: tuple[Agency, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    connections: tuple[AgencyConnection, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    clients: tuple[Client, ...] = ()

    @model_validator(mode="after")
    def _names_resolve(self) -> "Community":
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(
                f"timezone: no zone is called {self.timezone}; write one like America/New_York"
            ) from None
        agencies = {a.key for a in self.agencies}
        connections = {c.key: c.agency for c in self.connections}
        named = [(f"agreements.{a.key}", a.agency) for a in self.agreements]
        named += [(f"connections.{c.key}", c.agency) for c in self.connections]
        named += [(f"subscriptions.{s.key}", s.agency) for s in self.subscriptions]
        named += [(f"clients.{c.client_id}", c.agency) for c in self.clients]
        wrong = [
            f"{where} names agency {key}, which this file does not have"
            for where, key in named
            if key not in agencies
        ]
        wrong += [
            f"subscriptions.{s.key}: connection {s.connection} is not one of agency {s.agency}"
            for s in self.subscriptions
            if connections.get(s.connection) != s.agency
        ]
        for what, keys in self._key_lists().items():
            wrong += [f"{what}: {k} stands twice" for k in sorted({k for k in keys if keys.count(k) > 1})]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def _key_lists(self) -> dict[str, list[str]]:
        return {
            "agencies": [a.key for a in self.agencies],
            "agreements": [a.key for a in self.agreements],
            "connections": [c.key for c in self.connections],
            "subscriptions": [s.key for s in self.subscriptions],
            "clients": [c.client_id for c in self.clients],
        }

    def row(self) -> Row:
        """Columns of table `community`."""
        return {
            "name": self.name,
            "timezone": self.timezone,
            "jurisdiction": self.jurisdiction,
            "status": "active",
        }

    def rows(self) -> dict[str, dict[str, Row]]:
        """The file as table → key → columns, the shape `gateway.store.configuration` reads and writes."""
        role = {agency.key: agency.hub_role for agency in self.agencies}
        zone = ZoneInfo(self.timezone)
        return {
            "community": {self.community: self.row()},
            "org": {agency.key: agency.row() for agency in self.agencies},
            "agreement": {a.key: a.row(role[a.agency], zone) for a in self.agreements},
            "connection": {c.key: c.row() for c in self.connections},
            "subscription": {s.key: s.row() for s in self.subscriptions},
            "api_client": {c.client_id: c.row() for c in self.clients},
        }


class CommunityFileError(ValueError):
    """The community file cannot be used; the text says where and why, and what to write instead."""


def read_community(path: Path) -> Community:
    """The file as a model; raises CommunityFileError with one line per fault."""
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommunityFileError(
            f"{path}: cannot be read ({error.strerror}); give the path of a community file"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise CommunityFileError(
            f"{path}{where}: not YAML ({getattr(error, 'problem', 'bad encoding')})"
        ) from None
    try:
        return Community.model_validate(loaded)
    except ValidationError as error:
        lines = [
            f"{path}: {'.'.join(map(str, found['loc'])) or 'file'}: {found['msg'].removeprefix('Value error, ')}"
            for found in error.errors(include_url=False, include_input=False)
        ]
        raise CommunityFileError("\n".join(lines)) from None
