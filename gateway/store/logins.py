"""The login roles and the two databases: made by the embedded launcher, or once by hand's order on another server.

Two logins, two databases: `planhub_app` may enter `planhub` and nothing else, `planhub_keys` only `planhub_keys`. The
roles without a login, and what each may do, are the migrations' affair.
"""

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from gateway.store.engine import libpq_url

APP = "planhub_app"
KEYS = "planhub_keys"
DATABASE = "planhub"
KEYS_DATABASE = "planhub_keys"


def ensure_login_roles(admin_url: str, *, app_url: str, keys_url: str | None = None) -> None:
    """Create the login roles that these addresses name, with their passwords, or bring their passwords up to date.

    Roles are NOINHERIT and can neither create roles or databases nor pass by row-level security. Passwords travel as
    SCRAM-SHA-256 verifiers, so none is ever in a statement or a server's log. An address without a password leaves the
    role's password as it is (peer, certificate or cloud authentication).
    """
    with psycopg.connect(libpq_url(admin_url), autocommit=True) as admin:
        for url in (app_url, keys_url):
            if url is not None:
                address = make_url(url)
                ensure_login(admin, address.username or "", address.password)


def ensure_login(admin: psycopg.Connection, name: str, password: str | None) -> None:
    """Create or update one login role."""
    role = sql.Identifier(name)
    known = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
    verb = sql.SQL("ALTER") if known else sql.SQL("CREATE")
    admin.execute(sql.SQL("{} ROLE {} LOGIN NOINHERIT NOCREATEDB NOCREATEROLE").format(verb, role))
    if password is not None:
        verifier = admin.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
        admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(verifier)))


def ensure_database(admin: psycopg.Connection, name: str, *, owner: str | None, login: str) -> None:
    """Create a database only `login` (and a superuser) may connect to. `owner` None: the admin keeps it."""
    database = sql.Identifier(name)
    if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(database))
        if owner is not None:
            admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, sql.Identifier(owner)))
    close_database(admin, name, login=login)


def close_database(admin: psycopg.Connection, name: str, *, login: str | None) -> None:
    """Let nobody but `login` (and superusers) connect. A copy made from a template starts open and needs this too.

    TEMPORARY is granted with it: bulk intake stages rows in a temporary table.
    """
    database = sql.Identifier(name)
    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    if login is not None:
        admin.execute(
            sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(database, sql.Identifier(login))
        )
