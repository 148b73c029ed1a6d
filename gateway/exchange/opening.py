"""Open a hub from its settings: servers, schema, keys, rules, signer. Used by every process; closed at the block's end."""

import gc
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import resources
from urllib.parse import urlsplit

import psycopg
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import ProgrammingError

from consent.law import Law, load_law
from consent.trust_policy import TrustPolicy, parse_policy
from gateway.exchange.context import Hub
from gateway.exchange.selfcheck import guard
from gateway.settings import Settings
from gateway.store import logkeys, maps, tables
from gateway.store.embedded import ensure_postgres
from gateway.store.engine import Database, open_database
from gateway.store.keys import open_keystore
from gateway.store.migrate import is_laid_out, upgrade
from gateway.store.secretfile import create_once, read_private
from mappings.engine.compiled import CompiledMap
from mappings.engine.shipped import MapFiles, shipped_files, shipped_maps


class RulesError(Exception):
    """The shipped or configured law rows cannot be loaded; the hub does not start on rules it cannot read."""


class WitnessPolicyError(Exception):
    """The file that names the ledger's witnesses cannot be read; the hub does not start on a quorum it does not know."""


class MapsError(Exception):
    """This release's maps contradict what the database has recorded; the hub does not start on them."""


class SchemaError(Exception):
    """The database lacks what this release reads: it has not been brought up to date, or never laid out."""


def shipped_law() -> Law:
    """The law rows of this release (consent/rules/*.toml); raises RulesError naming each fault."""
    folder = resources.files("consent") / "rules"
    files = {
        f.name: f.read_bytes()
        for f in sorted(folder.iterdir(), key=lambda f: f.name)
        if f.name.endswith(".toml")
    }
    law = load_law(files)
    if isinstance(law, Law):
        return law
    raise RulesError("; ".join(f"{issue.path}: {issue.text}" for issue in law))


def origin_of(settings: Settings) -> str:
    """The name the log signs under (C2SP tlog-checkpoint origin), fixed at first start: it may never change afterwards.

    Taken from the public address where one is set, else drawn; kept beside the signing keys.
    """
    host = urlsplit(settings.public_url or "").hostname
    path = settings.home / "keys" / "ledger.origin"
    create_once(path, (f"{host}/log" if host else f"planhub/{secrets.token_hex(8)}").encode)
    return read_private(path).decode().strip()


def witness_policy(settings: Settings) -> TrustPolicy | None:
    """The ledger's witnesses, from the file the settings name; raises WitnessPolicyError."""
    path = settings.witness_policy
    if path is None:
        return None
    try:
        found = parse_policy(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        raise WitnessPolicyError(f"{path} cannot be read") from None
    if isinstance(found, TrustPolicy):
        return found
    raise WitnessPolicyError(f"{path}, line {found.line}: {found.text}")


@contextmanager
def open_hub(settings: Settings, *, migrate: bool = False, pool_size: int = 8) -> Iterator[Hub]:
    """A ready `Hub`. `migrate` brings the schema up to date first and records this release's maps.

    A new embedded database is always brought up to date; an existing one, like any other, only when asked. Where the ledger is
    not what it was, it is halted: the hub opens and signs nothing.
    """
    with ExitStack() as stack:
        if settings.database_url is None:
            urls = stack.enter_context(ensure_postgres(settings.home)).urls
            app_url, admin_url, keys_url = urls.app, urls.admin, urls.keys
            migrate = migrate or not is_laid_out(admin_url)
        else:
            app_url, keys_url = settings.database_url, str(settings.keystore_url)
            admin_url = settings.database_admin_url or app_url
        if migrate:
            upgrade(admin_url)
        db = open_database(app_url, pool_size)
        stack.callback(db.close)
        keys = open_keystore(keys_url, settings.home, key_file=settings.key_file)
        stack.callback(keys.close)
        folder, origin = settings.home / "keys", origin_of(settings)
        hub = Hub(
            db=db,
            keys=keys,
            rules=shipped_law(),
            signer=logkeys.current_key(folder, origin),
            next_signer=logkeys.next_key(folder, origin),
            retired=logkeys.retired_keys(folder),
            policy=witness_policy(settings),
            settings=settings,
        )
        with _laid_out():
            guard(hub)
            _put_rules_in_force(db, hub)
        if migrate:
            record_maps(hub)
        yield hub


@contextmanager
def _laid_out() -> Iterator[None]:
    """What every process reads first is where a database that was not brought up to date shows."""
    try:
        yield
    except (ProgrammingError, psycopg.errors.ProgrammingError) as error:
        missing = error.orig if isinstance(error, ProgrammingError) else error
        if isinstance(missing, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
            raise SchemaError("a table or column it needs is not there") from None
        raise


def record_maps(hub: Hub) -> None:
    """Record this release's maps, so that the database is the only source of maps at run time (ARCHITECTURE §5).

    Raises MapsError where a shipped map changed without a new version: a replay would not be what was sent.
    """
    compiled = shipped_maps()
    pairs = [(files, one) for files in shipped_files() for one in compiled.values() if _is(files, one)]
    with hub.db.transaction() as conn:
        changed = maps.record_shipped(conn, pairs, hub.clock())
    if changed:
        names = ", ".join(f"{name.map}@{name.version}" for name in changed)
        raise MapsError(f"{names}: this release changed a map without raising its version")


def _is(files: MapFiles, compiled: CompiledMap) -> bool:
    return f"map: {compiled.id}\n" in files.map_text


def _put_rules_in_force(db: Database, hub: Hub) -> None:
    """Name the loaded rules in the database: a live decision is bound to them (ARCHITECTURE §6)."""
    table = tables.rules_in_force
    row = {"rules_version": hub.rules.version, "at": hub.clock()}
    named = (
        insert(table)
        .values(only="rules", **row)
        .on_conflict_do_update(
            index_elements=["only"], set_=row, where=table.c.rules_version != hub.rules.version
        )
    )
    with db.transaction() as conn:
        conn.execute(named)


def spare_the_collector() -> None:
    """Have the garbage collector leave alone what start-up made, and look less often: its full rounds cost 100 ms each.

    For a process that is open now and serves for long.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
