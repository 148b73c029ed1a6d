"""The web process: the HTTP faces around an open hub."""

import atexit
import sys
from contextlib import ExitStack

from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE

from gateway.api.document import application
from gateway.exchange.context import Hub
from gateway.exchange.opening import open_hub, spare_the_collector
from gateway.exchange.selfcheck import guard_start
from gateway.exchange.tokens import TokenReader
from gateway.oauth.server import TokenServer
from gateway.settings import load_settings
from gateway.telemetry import LogCode, configure, error

POOL = 16


def build(hub: Hub) -> FastAPI:
    """The application of this hub."""
    app = application()
    key = hub.keys.ec_key("tokens")
    app.state.hub = hub
    app.state.tokens = TokenReader(key.public_key(), hub.settings.base_url)
    tokens = TokenServer(hub.db, key, hub.settings.base_url, hub.clock, hub.ids)
    app.include_router(tokens.router())
    return app


def create() -> FastAPI:
    """The application of this process, from its settings; closed when the process ends."""
    settings = load_settings()
    configure(settings.log_level)
    stack = ExitStack()
    atexit.register(stack.close)
    hub = stack.enter_context(open_hub(settings, pool_size=POOL))
    guard_start(hub)
    app = build(hub)
    spare_the_collector()
    return app


def create_or_end() -> FastAPI:
    """As `create`, for a server that starts it in a process of its own.

    A fault leaves its class and place in the log, never its text, and ends the process with the server's own code for it, so
    that it is not started again and again.
    """
    try:
        return create()
    except Exception as fault:  # noqa: BLE001  # the process's edge; whoever started it finds words for what is known
        error(LogCode.WEB_FAULT, fault)
        sys.exit(STARTUP_FAILURE)
