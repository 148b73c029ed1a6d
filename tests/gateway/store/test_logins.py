import secrets

import psycopg
import pytest

from gateway.store.embedded import EmbeddedPostgres, ensure_postgres
from gateway.store.engine import libpq_url
from gateway.store.logins import ensure_login_roles
from tests.gateway.store.processes import folder_of, one


def test_login_roles_of_an_outside_server_are_made_and_their_passwords_kept_current(home):
    with ensure_postgres(home) as server:
        where = f"/planhub?host={folder_of(server) / 'socket'}"
        for password in ("first", "second"):
            url = f"postgresql://hub_app:{password}@{where}"
            ensure_login_roles(server.urls.admin, app_url=url, keys_url=f"postgresql://hub_keys@{where}")
            with psycopg.connect(libpq_url(server.urls.admin)) as admin:
                admin.execute("GRANT CONNECT ON DATABASE planhub TO hub_app")
            assert one(url, "SELECT current_user") == "hub_app"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(f"postgresql://hub_app:first@{where}")
        assert one(server.urls.admin, "SELECT rolinherit FROM pg_roles WHERE rolname = 'hub_app'") is False
        assert one(server.urls.admin, "SELECT rolpassword FROM pg_authid WHERE rolname = 'hub_keys'") is None


def test_the_three_addresses_sign_in_as_three_roles_on_two_databases(home):
    with ensure_postgres(home) as server:
        urls = server.urls
        question = "SELECT current_user || ' ' || current_database()"
        assert [one(url, question) for url in (urls.admin, urls.app, urls.keys)] == [
            "planhub_admin planhub",
            "planhub_app planhub",
            "planhub_keys planhub_keys",
        ]
        rights = "SELECT rolsuper OR rolinherit OR rolcreaterole OR rolcreatedb OR rolbypassrls FROM pg_roles"
        for login in ("planhub_app", "planhub_keys"):
            assert one(urls.admin, f"{rights} WHERE rolname = '{login}'") is False


def test_a_wrong_password_and_no_password_are_refused(home):
    with ensure_postgres(home) as server:
        for login in ("planhub_admin", "planhub_app", "planhub_keys"):
            where = f"{login}@/planhub?host={folder_of(server) / 'socket'}"
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect("postgresql://" + where.replace("@", ":tulips@"))
            with pytest.raises(psycopg.OperationalError, match="no password supplied"):
                psycopg.connect("postgresql://" + where, passfile="/nonexistent")


def test_each_login_enters_its_own_database_only(home):
    with ensure_postgres(home) as server:
        urls = server.urls
        for url, database in (
            (urls.app, "planhub_keys"),
            (urls.app, "postgres"),
            (urls.keys, "planhub"),
            (urls.keys, "template1"),
        ):
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                psycopg.connect(libpq_url(url, database=database))


def test_two_homes_have_two_sets_of_passwords(home):
    passwords = [EmbeddedPostgres(home / name)._passwords for name in ("one", "two")]
    assert not set(passwords[0].values()) & set(passwords[1].values())
    assert all(len(password) >= len(secrets.token_urlsafe(32)) for password in passwords[0].values())
