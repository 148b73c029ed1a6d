"""The web process: the server around the application, and everything that can keep it from starting in plain words.

What may be wrong is looked at before any server process is started: the address, the certificate, the hub. What a server
process meets when it starts goes to the log by its class; then it is looked at again here, where words can be found for it.
"""

import socket
import ssl
from typing import TYPE_CHECKING

from gateway.cli.exits import Exit
from gateway.cli.hub import opened
from gateway.cli.output import fail

if TYPE_CHECKING:
    from gateway.settings import Settings

APPLICATION = "gateway.app:create_or_end"
BACKLOG = 2_048


def run_web(settings: "Settings") -> None:
    """Serve HTTP until told to stop."""
    from gateway.telemetry import configure

    configure(settings.log_level)
    _try_certificate(settings)
    with _listening(settings) as listener:
        with opened():
            pass
        if not _serve(settings, listener):
            with opened():
                pass
            fail(
                "the web process could not start",
                "what it met stands in the log above, by its class",
                "planhub doctor looks at every part",
                Exit.BUG,
            )


def _serve(settings: "Settings", listener: socket.socket) -> bool:
    """Serve until told to stop; False where a server process could not start."""
    import uvicorn
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import Multiprocess

    config = uvicorn.Config(
        APPLICATION,
        factory=True,
        workers=settings.web_processes,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        proxy_headers=settings.behind_proxy,
        server_header=False,
        date_header=True,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=20,
        h11_max_incomplete_event_size=64 * 1024,
    )
    if settings.web_processes == 1:
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except SystemExit as end:
            return end.code != STARTUP_FAILURE
        return True
    group = Multiprocess(config, [listener])
    group.run()
    return all(process.exitcode != STARTUP_FAILURE for process in group.processes)


def _listening(settings: "Settings") -> socket.socket:
    """The socket every server process takes its connections from."""
    place = (settings.host, settings.port)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server(place, family=family, backlog=BACKLOG)
    except OSError as error:
        fail(
            f"cannot listen on {settings.host} port {settings.port}",
            error.strerror or "the address cannot be used",
            "end what uses it, or set PLANHUB_HOST or PLANHUB_PORT",
            Exit.UNREACHABLE,
        )


def _try_certificate(settings: "Settings") -> None:
    if settings.tls_certificate is None:
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, password="")
    except OSError as error:  # ssl.SSLError is one
        fail(
            f"TLS with {settings.tls_certificate} and {settings.tls_key}",
            error.strerror or "they cannot be used",
            "name a PEM certificate with its chain, and its key without a password, that this account can read",
            Exit.USAGE,
        )
