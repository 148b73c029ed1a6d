"""What an auditor and a witness do by command, without a hub; and how the log's key is changed."""

import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest
import uvicorn

from consent.cosignature import cosignatures
from consent.note import VerifierKey, parse_note
from gateway.app import build
from gateway.cli.exits import Exit
from gateway.cli.ledger_outside import DOUBTS
from gateway.exchange.monitor import Doubt
from gateway.exchange.opening import open_hub
from gateway.exchange.sequence import sequence
from gateway.exchange.witnessing import ask_all, client
from gateway.settings import load_settings
from gateway.store import witnesses
from gateway.store.mark import Mark, keep_mark, mark_file
from gateway.store.pipeline import driver_of
from tests.gateway.family import Family, now
from tests.gateway.store.log import append
from tests.gateway.witnesses import a_witness, policy_of, there


@pytest.fixture
def entries(hub):
    """A few more entries in the log."""
    return sequence(hub, append(hub, Family(hub).child, 3))


@contextmanager
def served(hub):
    """The hub's faces at an address of this machine."""
    server = uvicorn.Server(
        uvicorn.Config(build(hub), host="127.0.0.1", port=0, log_config=None, lifespan="off")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/log"
    finally:
        server.should_exit = True
        thread.join()


def written(path, text):
    path.write_text(text)
    return path


def test_an_auditor_checks_the_log_from_outside_and_remembers_it(planhub, hub, entries, tmp_path):
    policy = written(tmp_path / "log.policy", f"log {hub.signer.verifier}\nquorum none\n")
    kept = tmp_path / "kept"
    with served(hub) as address:
        first = planhub(
            "ledger", "verify", "--log", address, "--policy", policy, "--remember", kept, "--json"
        )
        sequence(hub, append(hub, Family(hub).child, 2))
        second = planhub("ledger", "verify", "--log", address, "--policy", policy, "--remember", kept)
        assert (first.code, first.json["ok"], second.code) == (Exit.OK, True, Exit.OK)
        assert f"{first.json['entries'] + 2:,} entries" in second.out
        kept.write_text(
            kept.read_text().replace(parse_note(kept.read_text()).text.split("\n")[2], "A" * 43 + "=")
        )
        forked = planhub(
            "ledger", "verify", "--log", address, "--policy", policy, "--remember", kept, "--json"
        )
        assert (forked.code, forked.json["doubts"][0]["doubt"]) == (Exit.CHECK_FAILED, "rewritten")
        other = written(tmp_path / "other.policy", "log x\nquorum none\n")
        assert "line 1" in planhub("ledger", "verify", "--log", address, "--policy", other).err
    gone = planhub("ledger", "verify", "--log", address, "--policy", policy)
    assert gone.code == Exit.UNREACHABLE


def test_every_doubt_has_words():
    assert set(DOUBTS) == set(Doubt)


def test_a_witness_is_made_told_of_a_log_and_shown_by_command(planhub, hub, tmp_path):
    made = planhub("witness", "init", "--home", tmp_path / "w", "--name", "library.example/witness")
    assert (
        planhub("witness", "init", "--home", tmp_path / "w", "--name", "library.example/witness").out
        == made.out
    )
    assert planhub("witness", "trust", "--home", tmp_path / "w", str(hub.signer.verifier)).code == Exit.OK
    shown = planhub("witness", "show", "--home", tmp_path / "w", "--json").json
    assert shown["key"] == made.out.strip()
    assert [(one["origin"], one["size"]) for one in shown["logs"]] == [(hub.signer.name, 0)]
    for words in (
        ("show", "--home", tmp_path),
        ("trust", "--home", tmp_path / "w", "nonsense"),
        ("init", "--home", tmp_path / "n", "--name", "a b"),
    ):
        assert planhub("witness", *words).code == Exit.USAGE


def test_an_auditor_takes_the_newest_checkpoint_with_the_quorum(planhub, hub, entries, tmp_path):
    with a_witness(tmp_path, log=hub.signer.verifier) as library:
        text = f"log {hub.signer.verifier}\nwitness library {library.home.key.verifier} {library.url}\nquorum library\n"
        policy = written(tmp_path / "log.policy", text)
        asking = replace(hub, policy=policy_of(text))
        with served(asking) as address:
            before = planhub("ledger", "verify", "--log", address, "--policy", policy)
            assert (before.code, "no checkpoint" in before.err) == (Exit.CHECK_FAILED, True)
            with client(hub.settings.model_copy(update={"allow_loopback_partners": True})) as http:
                ask_all(asking, http)
            after = planhub("ledger", "verify", "--log", address, "--policy", policy)
            assert (after.code, "cosigned by library" in after.out) == (Exit.OK, True)
    note = there(parse_note(planhub("ledger", "checkpoint").out))
    assert cosignatures(note, [library.home.key.verifier])
    assert planhub("ledger", "fsck", "--json").json["ok"] is True


def test_a_kept_cosignature_that_its_witness_did_not_make_is_found(planhub, deployment, hub, entries):
    with hub.db.transaction() as connection:
        (size,) = connection.exec_driver_sql("SELECT max(size) FROM ledger_checkpoint").one()
        forged = witnesses.StoredCosignature(size + 1_000_000, "nobody", "— nobody AAAAAAAA\n", now())
        witnesses.add_cosignatures(driver_of(connection), [forged])
    found = planhub("ledger", "fsck", "--json")
    assert (found.code, found.json["faults"]) == (
        Exit.CHECK_FAILED,
        [{"fault": "cosignature", "where": str(size + 1_000_000)}],
    )
    import psycopg

    from gateway.store.engine import libpq_url

    with psycopg.connect(
        libpq_url(deployment.environment["PLANHUB_DATABASE_ADMIN_URL"]), autocommit=True
    ) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("DELETE FROM ledger_cosignature WHERE witness = 'nobody'")


def test_a_rolled_back_log_is_halted_at_the_next_opening_and_resumed_when_it_is_put_right(
    planhub, hub, entries
):
    mark = mark_file(hub.settings.home)
    keep_mark(mark, Mark(10_000_000, bytes(32)))
    for command in (("ledger", "fsck", "--quick"), ("ledger", "resume")):
        ran = planhub(*command)
        assert (ran.code, "rolled back" in ran.err, "planhub ledger resume" in ran.err) == (
            Exit.CHECK_FAILED,
            True,
            True,
        )
    assert '"signing"' in planhub("doctor", "--json").out
    mark.unlink()
    assert planhub("ledger", "resume").code == Exit.OK
    assert planhub("ledger", "fsck", "--quick").code == Exit.OK


def keys_shown(planhub):
    return {
        one["state"]: VerifierKey.parse(one["key"])
        for one in planhub("ledger", "key", "show", "--json").json["keys"]
    }


def signed_by(hub):
    """The keys on the checkpoint the log signs next."""
    sequence(hub, append(hub, Family(hub).child, 1))
    with hub.db.transaction() as connection:
        (text,) = connection.exec_driver_sql(
            "SELECT note FROM ledger_checkpoint ORDER BY size DESC LIMIT 1"
        ).one()
    return [line.key_id for line in there(parse_note(text)).signatures]


def test_a_key_is_changed_with_a_time_in_which_both_sign_and_the_whole_log_stays_good(planhub, hub, entries):
    old = keys_shown(planhub)["signs"]
    assert planhub("ledger", "key", "finish", "--yes").code == Exit.CONFLICT
    begun = planhub("ledger", "key", "begin")
    assert planhub("ledger", "key", "begin").out == begun.out
    new = keys_shown(planhub)["signs too"]
    assert (str(new), new.name) == (begun.out.strip(), old.name)
    settings = load_settings()
    with open_hub(settings) as both:
        assert signed_by(both) == [old.key_id, new.key_id]
    assert planhub("ledger", "key", "finish").code == Exit.USAGE
    assert planhub("ledger", "key", "finish", "--yes").code == Exit.OK
    assert keys_shown(planhub) == {"signs": new, "signed before": old}
    with open_hub(settings) as after:
        assert signed_by(after) == [new.key_id]
        assert after.log_keys == (new, old)
    assert planhub("ledger", "fsck").code == Exit.OK
