"""A deployment of each test module's own, and the command line run in this process against it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.exchange.context import Hub
from gateway.exchange.opening import open_hub
from gateway.settings import load_settings
from gateway.store import directives
from gateway.store.logins import KEYS
from mappings.record.category import Category
from tests import servers
from tests.gateway.family import Family, add_agency, now

NO_BROKER = "redis://127.0.0.1:1/0"
"""Nothing listens there: no test of the command line starts a broker."""


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object it printed with `--json`."""
        found = json.loads(self.out)
        assert found["schema_version"] == 1
        return found


Planhub = Callable[..., Ran]


@dataclass(frozen=True)
class Deployment:
    """The settings of a deployment as its environment has them, and a hub on it for preparing what a test needs."""

    hub: Hub
    environment: dict[str, str]


@pytest.fixture(scope="module")
def deployment(postgres, template, tmp_path_factory) -> Iterator[Deployment]:
    home = tmp_path_factory.mktemp("home")
    main = servers.copy_of(postgres.urls, template)
    keys = servers.copy_of(postgres.urls, None, login=KEYS)
    settings = {
        "home": home,
        "database_url": main.app,
        "database_admin_url": main.admin,
        "keystore_url": keys.app,
        "broker_url": NO_BROKER,
    }
    environment = {f"PLANHUB_{name.upper()}": str(value) for name, value in settings.items()}
    with open_hub(load_settings(**settings)) as hub:
        yield Deployment(hub, environment)
    for copy in (main, keys):
        servers.drop(postgres.urls, copy)


@pytest.fixture
def hub(deployment: Deployment) -> Hub:
    """The hub the commands open, for preparing what they find."""
    return deployment.hub


@pytest.fixture
def planhub(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Planhub:
    """Run a command as a person would, without a terminal; a fault in it is raised here."""
    for name, value in deployment.environment.items():
        monkeypatch.setenv(name, value)

    def run(*words: object, typed: str | None = None) -> Ran:
        result = CliRunner().invoke(app, [str(word) for word in words], input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A scan of a signed form."""
    path = tmp_path / "form.pdf"
    path.write_bytes(b"%PDF-1.7 a signed form, synthetic")
    return path


@pytest.fixture
def school(hub: Hub) -> str:
    return add_agency(hub)


@pytest.fixture
def clinic(hub: Hub) -> str:
    return add_agency(hub, programme=Category.HEALTH)


@pytest.fixture
def only(hub: Hub) -> Family:
    """A child with one guardian."""
    family = Family(hub)
    link = family.guardian(family.other_link, valid_until=now() - timedelta(days=1))
    with hub.db.transaction() as connection:
        directives.change_link(connection, family.key, link)
    return family
