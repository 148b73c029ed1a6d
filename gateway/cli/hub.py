"""How a command opens the hub: settings from the environment, then the servers; every known fault in plain words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.cli.exits import Exit
from gateway.cli.output import fail

if TYPE_CHECKING:
    from gateway.exchange.context import Hub
    from gateway.settings import Settings


def settings_or_fail() -> "Settings":
    """The settings, or the command ends naming the one that is wrong."""
    from gateway.settings import SettingsError, load_settings

    try:
        return load_settings()
    except SettingsError as error:
        fail("settings", str(error), "planhub schema settings lists every setting", Exit.USAGE)


@contextmanager
def opened(*, migrate: bool = False) -> Iterator["Hub"]:
    """The hub for the length of a command."""
    from gateway.exchange.opening import open_hub

    settings = settings_or_fail()
    with in_plain_words(), open_hub(settings, migrate=migrate) as hub:
        yield hub


@contextmanager
def in_plain_words() -> Iterator[None]:
    """Every known fault of the machine, the database or this release's files: what, why, next step, exit code."""
    import psycopg
    from sqlalchemy.exc import OperationalError

    from gateway.exchange.opening import MapsError, RulesError, SchemaError, WitnessPolicyError
    from gateway.store.account import AccountError
    from gateway.store.broker import BrokerError
    from gateway.store.embedded import PostgresError
    from gateway.store.place import PlaceError
    from gateway.store.programs import ProgramMissing
    from gateway.store.secretfile import SecretFileError

    try:
        yield
    except (
        PostgresError,
        BrokerError,
        PlaceError,
        AccountError,
        ProgramMissing,
        SecretFileError,
    ) as error:
        fail("cannot start", str(error), "planhub doctor looks at every part", Exit.UNREACHABLE)
    except MapsError as error:
        fail("the maps cannot be used", str(error), "raise the map's version", Exit.CHECK_FAILED)
    except SchemaError as error:
        fail(
            "the database is not laid out for this release", str(error), "planhub migrate", Exit.CHECK_FAILED
        )
    except WitnessPolicyError as error:
        step = "correct the file PLANHUB_WITNESS_POLICY names; docs/ledger.md shows one"
        fail("the ledger's witnesses are not known", str(error), step, Exit.CHECK_FAILED)
    except RulesError as error:
        fail(
            "the law rows cannot be loaded",
            str(error),
            "correct consent/rules and start again",
            Exit.CHECK_FAILED,
        )
    except (OperationalError, psycopg.OperationalError):
        fail(
            "the database cannot be reached",
            "it refused the connection, or a table stayed locked",
            "planhub doctor looks at every part",
            Exit.UNREACHABLE,
        )
