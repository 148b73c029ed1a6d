"""Every setting of a deployment, one frozen model. The settings reference in deploy/ is generated from it.

A value comes from an argument, else from the environment (`PLANHUB_` and the field's name in capitals), else from its
default. There is no settings file: what a community configures about its agencies is a different thing and lives in the
community file that `planhub apply` reads.
"""

import difflib
import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "PLANHUB_"
OF_THE_LAUNCHER = frozenset({"PLANHUB_VENV", "PLANHUB_PYTHON"})
"""Read by the `planhub` shell launcher before Python starts; not settings of the hub."""

Network = IPv4Network | IPv6Network


class SettingsError(ValueError):
    """Settings that cannot be used. Its text names each setting, what is wrong and what to write instead."""


def default_home() -> Path:
    """Where the hub keeps its files: /var/lib/planhub for root, else `planhub` under the XDG data folder.

    Source: XDG Base Directory Specification 0.8, "Environment variables" ($XDG_DATA_HOME; relative values are ignored).
    """
    if os.geteuid() == 0:
        return Path("/var/lib/planhub")
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if data.startswith("/") else Path.home() / ".local" / "share") / "planhub"


class Settings(BaseSettings):
    """Everything a deployment can set. Addresses that may hold a password are left out of `repr`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        env_ignore_empty=True,
    )

    home: Path = Field(
        default_factory=default_home,
        description="Folder for keys, embedded servers and spool files. "
        "Default: /var/lib/planhub as root, else ~/.local/share/planhub.",
    )
    database_url: str | None = Field(
        default=None,
        repr=False,
        description="PostgreSQL 15 or later for the login role planhub_app. Empty: the embedded server.",
    )
    database_admin_url: str | None = Field(
        default=None,
        repr=False,
        description="The same database for a role that may create roles and tables; read only by `planhub migrate`.",
    )
    keystore_url: str | None = Field(
        default=None,
        repr=False,
        description="A database of its own for the children's wrapped keys, never restored together with the main one. "
        "Required where database_url is set. Empty: `planhub_keys` on the embedded server.",
    )
    broker_url: str | None = Field(
        default=None,
        repr=False,
        description="Redis or RabbitMQ that rings the workers' doorbell. Empty: the embedded Valkey.",
    )
    key_file: Path | None = Field(
        default=None,
        description="The file that wraps the shard keys (mode 0600). Empty: keys/master.key under home.",
    )
    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on. Anything but loopback needs TLS or behind_proxy.",
    )
    port: int = Field(default=8400, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    tls_certificate: Path | None = Field(
        default=None, description="PEM file with the certificate and its chain; needs tls_key."
    )
    tls_key: Path | None = Field(
        default=None, description="PEM file with the certificate's private key; needs tls_certificate."
    )
    behind_proxy: bool = Field(
        default=False,
        description="A reverse proxy in front ends TLS, and only it can reach host:port. Needs an https public_url.",
    )
    public_url: str | None = Field(
        default=None,
        description="The address partners and families use, as in https://hub.example.org. Default: from host and port.",
    )
    log_level: str = Field(
        default="info",
        pattern="^(debug|info|warning|error)$",
        description="Least level written to standard error: debug, info, warning or error.",
    )
    web_processes: int = Field(
        default=2, ge=1, le=64, description="Web processes `planhub serve` keeps running."
    )
    work_processes: int = Field(
        default=2, ge=1, le=64, description="Worker processes `planhub serve` keeps running."
    )
    egress_allow: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(),
        description="Private address ranges (CIDR, comma-separated) where partners may be reached. "
        "Public addresses are always allowed, all other private ones never.",
    )
    allow_loopback_partners: bool = Field(
        default=False, description="Partners may be on this machine. For the demo and tests only."
    )
    community: Path | None = Field(
        default=None, description="The community file applied at start: agencies, agreements, connections."
    )
    witness_policy: Path | None = Field(
        default=None,
        description="The ledger's witnesses and their quorum (C2SP tlog-policy). Empty: nobody is asked to cosign.",
    )
    reconsider_after_s: float = Field(
        default=10.0,
        gt=0,
        le=10,
        description="Seconds after which a decision is made again if the partner's socket is not open yet. At most 10.",
    )
    metrics_port: int | None = Field(
        default=None, ge=1, le=65535, description="Loopback port for Prometheus metrics. Empty: none."
    )

    @field_validator(
        "home", "key_file", "tls_certificate", "tls_key", "community", "witness_policy", mode="after"
    )
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        """A relative path means the folder the command was given in, wherever a worker runs later."""
        return None if path is None else Path(path).expanduser().absolute()

    @field_validator("egress_allow", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if not isinstance(value, list | tuple):
            return value
        return tuple(ip_network(part) if isinstance(part, str) else part for part in value)

    @model_validator(mode="after")
    def _own_key_store(self) -> Self:
        if self.database_url and not self.keystore_url:
            raise ValueError(
                "database_url is set but keystore_url is not: the children's keys must not lie beside the data they "
                "open. Give the key store a database of its own and name it in PLANHUB_KEYSTORE_URL."
            )
        if self.database_admin_url and not self.database_url:
            raise ValueError(
                "database_admin_url needs database_url: set both, or neither for the embedded server."
            )
        return self

    @model_validator(mode="after")
    def _no_plain_http_off_loopback(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: set both, or neither.")
        if not is_loopback(self.host) and not self.serves_tls and not self.behind_proxy:
            raise ValueError(
                f"plain HTTP on {self.host} would send children's records in clear. Set tls_certificate and tls_key, "
                "or behind_proxy where a reverse proxy ends TLS, or listen on 127.0.0.1."
            )
        if self.public_url is not None and not self.public_url.startswith(("https://", "http://")):
            raise ValueError("public_url must start with https:// (http:// only for loopback).")
        if not self.base_url.startswith("https://") and (self.behind_proxy or not is_loopback(self.host)):
            raise ValueError(
                "public_url must be an https:// address when the hub is reached from elsewhere; set PLANHUB_PUBLIC_URL."
            )
        return self

    @property
    def serves_tls(self) -> bool:
        """Whether the hub itself ends TLS."""
        return self.tls_certificate is not None and self.tls_key is not None

    @property
    def base_url(self) -> str:
        """The address others use, without a slash at the end: public_url, else built from host and port."""
        if self.public_url is not None:
            return self.public_url.rstrip("/")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.serves_tls else 'http'}://{host}:{self.port}"

    @property
    def embedded_database(self) -> bool:
        """Whether PostgreSQL is the one this hub starts itself."""
        return self.database_url is None


def is_loopback(host: str) -> bool:
    """Whether this address or name can only be reached from this machine. A name other than localhost is not trusted."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process: `overrides` before the environment before the defaults.

    Raises `SettingsError` for a value that cannot be used and for an unknown PLANHUB_ variable, which is most often a
    misspelt one. Variables starting PLANHUB_TEST_ belong to the tests and are left alone.
    """
    _refuse_unknown(os.environ)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("\n".join(_sentences(error))) from None


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in known | OF_THE_LAUNCHER or name.startswith("PLANHUB_TEST_"):
            continue
        near = difflib.get_close_matches(name, sorted(known), n=1)
        hint = f"did you mean {near[0]}?" if near else "`planhub serve --help` lists the settings."
        raise SettingsError(f"{name} is not a setting; {hint} Unset it or correct its name.")


def _sentences(error: ValidationError) -> list[str]:
    """One sentence per fault, naming the variable. Never the value: an address may hold a password."""
    lines = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        name = str(fault["loc"][0]) if fault["loc"] else ""
        text = fault["msg"].removeprefix("Value error, ")
        lines.append(f"{PREFIX}{name.upper()}: {text}" if name else text)
    return lines
