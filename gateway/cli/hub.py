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
    from sqlalchemy.exc import OperationalError

    from gateway.exchange.opening import MapsError, RulesError, open_hub
    from gateway.store.account import AccountError
    from gateway.store.embedded import PostgresError
    from gateway.store.place import PlaceError
    from gateway.store.programs import ProgramMissing
    from gateway.store.secretfile import SecretFileError

    settings = settings_or_fail()
    try:
        with open_hub(settings, migrate=migrate) as hub:
            yield hub
    except (PostgresError, PlaceError, AccountError, ProgramMissing, SecretFileError) as error:
        fail("cannot start", str(error), "planhub doctor looks at every part", Exit.UNREACHABLE)
    except MapsError as error:
        fail("the maps cannot be used", str(error), "raise the map's version", Exit.CHECK_FAILED)
    except RulesError as error:
        fail(
            "the law rows cannot be loaded",
            str(error),
            "correct consent/rules and start again",
            Exit.CHECK_FAILED,
        )
    except OperationalError:
        fail(
            "the database cannot be reached",
            "it refused the connection, or a table stayed locked",
            "planhub doctor looks at every part",
            Exit.UNREACHABLE,
        )
