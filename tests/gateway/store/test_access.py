"""What each role may do: the login is refused all it need not do, and every grant is one somebody wrote down."""

from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.store.engine import Role, libpq_url
from tests.gateway.family import add_agency
from tests.gateway.store.case import BODIES, Case

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "store"


@pytest.fixture
def case(hub, family):
    return Case(family, add_agency(hub), add_agency(hub))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT body FROM assertion",
        "SELECT * FROM assertion",
        "SELECT assertion FROM assertion",
        "SELECT to_jsonb(assertion) FROM assertion",
        "SELECT count(body) FROM assertion",
        "SELECT assertion_id FROM assertion WHERE length(body) > 3",
        "SELECT assertion_id FROM assertion ORDER BY body",
        "UPDATE assertion SET status = 'retracted' WHERE body IS NOT NULL",
        "UPDATE assertion SET body = '' WHERE false",
        "UPDATE assertion SET status = 'retracted' WHERE false RETURNING body",
        "DELETE FROM assertion",
        "TRUNCATE assertion",
        "COPY assertion TO STDOUT",
        "COPY (SELECT body FROM assertion) TO STDOUT",
        "COPY assertion (body) TO STDOUT",
        "CREATE TEMPORARY TABLE taken AS SELECT body FROM assertion",
        "SELECT body FROM source_document",
        "SELECT features FROM identity_features",
        "SELECT body FROM directive",
        "SELECT body FROM guardian_link",
        "SELECT body FROM restraint",
        "SELECT body FROM child_fact",
        "SELECT body FROM ledger_entry",
        "SELECT body FROM ledger_pending",
        "SET LOCAL ROLE planhub_owner",
        "SET LOCAL row_security = off; SELECT body FROM assertion",
        "DELETE FROM decision",
        "UPDATE decision SET expires = expires + interval '1 day'",
        "DELETE FROM ledger_entry",
        "UPDATE ledger_entry SET leaf = ''",
        "INSERT INTO ledger_entry (seq) VALUES (0)",
        "DELETE FROM ledger_pending",
        "UPDATE ledger_tile SET hashes = ''",
        "DELETE FROM ledger_checkpoint",
        "CREATE TABLE mine (a int)",
    ],
)
def test_the_hubs_own_login_is_refused(worker_copy, case, statement):
    with psycopg.connect(libpq_url(worker_copy.app)) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
        connection.rollback()


@pytest.mark.parametrize("role", [Role.CONSENT, Role.MATCH, Role.INTAKE, Role.SEQUENCER])
def test_no_other_role_reads_an_assertion(hub, case, role):
    with pytest.raises(DBAPIError, match="permission denied"), hub.db.transaction(role=role) as connection:
        connection.execute(text(BODIES))


SHAPE = {
    "views": """SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind IN ('v', 'm') ORDER BY 1""",
    "functions that run as their owner": """SELECT p.proname FROM pg_proc p
        JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public' AND p.prosecdef ORDER BY 1""",
    "functions whose search path is not fixed": """SELECT p.proname FROM pg_proc p
        JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = 'public' AND NOT coalesce(p.proconfig::text ~ 'search_path=pg_catalog', false) ORDER BY 1""",
    "functions and who may call them": """SELECT p.proname || ': ' || coalesce(string_agg(
            CASE a.grantee WHEN 0 THEN 'EVERYONE' ELSE g.rolname END, ', ' ORDER BY g.rolname), 'nobody')
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        LEFT JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a ON a.grantee <> p.proowner
        LEFT JOIN pg_roles g ON g.oid = a.grantee
        WHERE n.nspname = 'public' GROUP BY p.oid, p.proname ORDER BY p.proname""",
    "tables not owned by planhub_owner": """SELECT c.relname FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind = 'r' AND pg_get_userbyid(c.relowner) <> 'planhub_owner' ORDER BY 1""",
    "tables under row-level security, forced": """SELECT c.relname FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relrowsecurity AND c.relforcerowsecurity ORDER BY 1""",
    "policies": """SELECT tablename || ' ' || policyname || ' ' || cmd || ' ' || array_to_string(roles, ',')
        FROM pg_policies WHERE schemaname = 'public' ORDER BY 1""",
    "triggers": """SELECT c.relname || ' ' || t.tgname || ' ' || p.proname FROM pg_trigger t
        JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE NOT t.tgisinternal AND t.tgenabled = 'O' ORDER BY 1""",
    "what may be done with a whole table": """SELECT c.relname || ' ' || coalesce(g.rolname, 'everyone') || ': '
            || string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL aclexplode(c.relacl) a LEFT JOIN pg_roles g ON g.oid = a.grantee
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'v', 'm', 'S') AND a.grantee <> c.relowner
        GROUP BY c.relname, g.rolname ORDER BY 1""",
    "what may be done with single columns": """SELECT c.relname || ' ' || g.rolname || ' ' || a.privilege_type || ': '
            || string_agg(t.attname, ', ' ORDER BY t.attname)
        FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL aclexplode(t.attacl) a JOIN pg_roles g ON g.oid = a.grantee
        WHERE n.nspname = 'public' GROUP BY c.relname, g.rolname, a.privilege_type ORDER BY 1""",
    "roles": """SELECT r.rolname || ':' || CASE WHEN r.rolcanlogin THEN ' login' ELSE '' END
            || CASE WHEN r.rolinherit THEN ' inherits' ELSE '' END || CASE WHEN r.rolbypassrls THEN ' BYPASSES' ELSE '' END
            || CASE WHEN r.rolsuper THEN ' SUPERUSER' ELSE '' END
        FROM pg_roles r WHERE r.rolname ~ '^planhub_' AND r.rolname NOT IN ('planhub_admin', 'planhub_keys')
        AND r.rolname !~ '^planhub_test_' ORDER BY 1""",
    "what planhub_app may become": """SELECT m.roleid::regrole::text FROM pg_auth_members m
        WHERE m.member = 'planhub_app'::regrole ORDER BY 1""",
}


def shape_of(admin_url: str) -> str:
    """Everything that decides who may read what, as text."""
    lines = []
    with psycopg.connect(libpq_url(admin_url)) as admin:
        for heading, statement in SHAPE.items():
            lines += [f"# {heading}", *(row[0] for row in admin.execute(statement.encode())), ""]
    return "\n".join(lines)


def test_every_view_function_policy_and_grant_is_one_somebody_wrote_down(worker_copy, request):
    """Changed on purpose: read the difference, then delete the golden file and run again to write it anew."""
    golden = GOLDEN / "access.txt"
    found = shape_of(worker_copy.admin)
    if not golden.exists():
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(found)
        pytest.fail(f"{golden.name} was not there and is written anew: read it, commit it")
    assert found == golden.read_text()
