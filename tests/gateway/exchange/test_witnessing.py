"""The log asks its witnesses and keeps what they say; what contradicts its history stops it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from consent.checkpoint import Checkpoint, sign_checkpoint
from consent.cosignature import Cosigner, cosignatures
from consent.merkle import leaf_hash
from consent.note import parse_note
from consent.proof import parse_proof, verify_proof
from consent.witness import Request
from gateway.exchange.published import newest, receipt, witnessed
from gateway.exchange.selfcheck import guard, keep, resume, tend
from gateway.exchange.sequence import LedgerHalted, sequence
from gateway.exchange.witnessing import Heard, ask_all, client
from gateway.store import ledger, witnesses
from gateway.store.mark import Mark, keep_mark, mark_file, read_mark
from gateway.store.pipeline import driver_of
from tests.consent import naive_tree
from tests.gateway.family import SIGNER, Family, now
from tests.gateway.store.log import append, rows
from tests.gateway.witnesses import a_witness, policy_with, there


@pytest.fixture
def child(fresh_hub):
    return Family(fresh_hub).child


@pytest.fixture
def library(tmp_path):
    with a_witness(tmp_path, "library") as listening:
        yield listening


@pytest.fixture
def county(tmp_path):
    with a_witness(tmp_path, "county") as listening:
        yield listening


@pytest.fixture
def hub(fresh_hub, library, county):
    """A hub whose log has two witnesses, both of whom it takes."""
    settings = fresh_hub.settings.model_copy(update={"allow_loopback_partners": True})
    return replace(fresh_hub, settings=settings, policy=policy_with(library, county))


@pytest.fixture
def http(hub):
    with client(hub.settings) as made:
        yield made


def grow(hub, child, count):
    """That many more entries; the number of the last."""
    return max(sequence(hub, append(hub, child, count)).values())


def heard(told):
    return [one.heard for one in told]


def standing(hub):
    with hub.db.transaction() as connection:
        return {(one.answer, one.size) for one in witnesses.standings(driver_of(connection)).values()}


def seen_elsewhere(listening, leaves, signer=SIGNER):
    """The witness cosigns this history of the log, which is not the one the database holds."""
    note = sign_checkpoint(Checkpoint(signer.name, len(leaves), naive_tree.mth(leaves)), [signer])
    listening.home.cosign(str(Request(0, (), note)).encode(), now)


OTHER = [leaf_hash(b"other %d" % n) for n in range(30)]


def test_every_witness_is_asked_once_for_each_checkpoint_and_its_cosignature_is_kept(hub, child, http):
    grow(hub, child, 3)
    assert heard(ask_all(hub, http)) == [Heard.COSIGNED] * 2
    assert ask_all(hub, http) == ()
    grow(hub, child, 400)
    assert heard(ask_all(hub, http)) == [Heard.COSIGNED] * 2
    assert standing(hub) == {("cosigned", 403)}
    assert len(cosignatures(there(newest(hub)), hub.policy.cosigners)) == 2


def test_a_proof_is_given_under_the_newest_checkpoint_with_the_quorum_that_holds_the_entry(hub, child, http):
    first = grow(hub, child, 5)
    assert not cosignatures(parse_proof(there(receipt(hub, first))).checkpoint, hub.policy.cosigners)
    ask_all(hub, http)
    last = grow(hub, child, 2)
    old, new = there(receipt(hub, first)), there(receipt(hub, last))
    assert len(cosignatures(parse_proof(old).checkpoint, hub.policy.cosigners)) == 2
    assert not cosignatures(parse_proof(new).checkpoint, hub.policy.cosigners)
    for number, proof, size in ((first, old, 5), (last, new, 7)):
        with hub.db.transaction() as connection:
            leaf = ledger.read_leaf(connection, number)
        assert verify_proof(proof, leaf, SIGNER.name, [SIGNER.verifier]).size == size


def test_a_witness_that_is_down_delays_nothing_and_is_made_up_for_by_the_others(hub, child, http, library):
    home = replace(library.home, key=Cosigner("down.example/witness", bytes(range(1, 33))))
    down = replace(library, home=home, url="http://127.0.0.1:1")
    silent = replace(hub, policy=policy_with(library, down, quorum=1))
    grow(silent, child, 3)
    assert sorted(heard(ask_all(silent, http))) == [Heard.COSIGNED, Heard.UNREACHABLE]
    assert witnessed(silent) is not None


def test_where_each_witness_stands_is_asked_of_it_and_not_assumed(hub, child, http):
    grow(hub, child, 4)
    ask_all(hub, http)
    with hub.db.transaction() as connection:
        connection.exec_driver_sql("UPDATE ledger_witness SET size = 0")
    grow(hub, child, 4)
    assert heard(ask_all(hub, http)) == [Heard.COSIGNED] * 2


def test_attack_stale_time_a_cosignature_of_another_time_is_not_kept(hub, child, http, tmp_path):
    for name, clock in (
        ("slow", lambda: now() - timedelta(hours=1)),
        ("fast", lambda: now() + timedelta(hours=1)),
    ):
        with a_witness(tmp_path, name, clock=clock) as late:
            alone = replace(hub, policy=policy_with(late))
            grow(alone, child, 1)
            assert heard(ask_all(alone, http)) == [Heard.WRONG_TIME]
    assert rows(hub, "SELECT * FROM ledger_cosignature") == []


def test_another_witnesss_signature_is_not_taken_for_the_one_asked(hub, child, http, library, county):
    posing = replace(library, home=county.home)  # the county's key at the library's address
    alone = replace(hub, policy=policy_with(posing))
    grow(alone, child, 1)
    assert heard(ask_all(alone, http)) == [Heard.UNREADABLE]
    assert rows(hub, "SELECT * FROM ledger_cosignature") == []


def test_a_witness_that_does_not_know_the_log_stops_nothing(hub, child, http, tmp_path, library):
    (library.home.folder / "logs.policy").write_text("quorum none\n")
    grow(hub, child, 1)
    assert sorted(heard(tend(hub, http))) == [Heard.COSIGNED, Heard.UNKNOWN]
    grow(hub, child, 1)


def test_attack_old_backup_a_witness_that_is_further_halts_the_log_with_what_to_do(hub, child, http, library):
    grow(hub, child, 4)
    seen_elsewhere(library, OTHER)
    assert Heard.AHEAD in heard(tend(hub, http))
    waiting = append(hub, child, 1)
    with pytest.raises(LedgerHalted, match=r"30 entries .* holds 4.*planhub ledger resume"):
        sequence(hub, waiting)
    assert rows(hub, "SELECT max(size) FROM ledger_checkpoint") == [(4,)]


def test_attack_old_backup_an_emptied_log_is_noticed_too(hub, http, library):
    seen_elsewhere(library, OTHER)
    assert "30 entries" in there(guard(hub, http))


def test_attack_fork_a_witness_that_saw_another_history_halts_the_log(hub, child, http, library):
    grow(hub, child, 3)
    seen_elsewhere(library, OTHER[:2])
    grow(hub, child, 3)
    assert Heard.CONTRADICTS in heard(tend(hub, http))
    with pytest.raises(LedgerHalted, match="another history"):
        grow(hub, child, 1)


def test_the_bare_word_of_a_witness_halts_a_start_and_not_a_running_log(hub, child, http, library):
    grow(hub, child, 4)
    seen_elsewhere(library, OTHER)
    (path,) = library.home.folder.glob("*.checkpoint")
    unsigned = there(parse_note(path.read_bytes()))
    path.write_text(str(replace(unsigned, signatures=unsigned.signatures[1:])))  # our signature is not shown
    told = tend(hub, http)
    assert [one.proved for one in told if one.heard is Heard.AHEAD] == [False]
    grow(hub, child, 1)
    assert guard(hub, http) is not None


def test_the_mark_beside_the_key_follows_the_log_and_tells_of_a_rollback_without_any_witness(
    hub, child, http
):
    grow(hub, child, 4)
    tend(hub, http)
    path = mark_file(hub.settings.home)
    assert read_mark(path).size == 4
    keep_mark(path, Mark(9, OTHER[0]))
    assert "9 entries and this database holds 4" in there(guard(hub))
    with pytest.raises(LedgerHalted):
        grow(hub, child, 1)
    tend(hub, http)
    assert read_mark(path).size == 9


def test_attack_rewritten_history_is_told_by_the_mark(hub, child):
    grow(hub, child, 4)
    keep_mark(mark_file(hub.settings.home), Mark(2, OTHER[0]))
    assert "history was rewritten" in there(guard(hub))


def test_a_mark_that_cannot_be_read_is_no_mark(hub, child):
    keep(hub)
    assert read_mark(mark_file(hub.settings.home)) is None
    grow(hub, child, 1)
    keep(hub)
    mark_file(hub.settings.home).write_text("nonsense\n")
    assert "is not a mark" in there(guard(hub))


def test_a_halt_is_lifted_only_when_the_check_passes(hub, child, http):
    grow(hub, child, 4)
    path = mark_file(hub.settings.home)
    keep_mark(path, Mark(9, OTHER[0]))
    guard(hub)
    assert "9 entries" in there(resume(hub, http))
    path.unlink()
    assert guard(hub) is not None
    assert resume(hub, http) is None
    grow(hub, child, 1)


def test_an_untouched_log_passes_and_a_new_one_too(hub, child, http):
    assert guard(hub, http) is None
    grow(hub, child, 300)
    assert guard(hub, http) is None
    tend(hub, http)
    assert guard(hub, http) is None


def test_every_attack_succeeds_where_nothing_halts_the_log(hub, child, http, library, monkeypatch):
    """The control: a rolled-back log with the halt taken out signs on."""
    grow(hub, child, 4)
    seen_elsewhere(library, OTHER)
    keep_mark(mark_file(hub.settings.home), Mark(9, OTHER[0]))
    monkeypatch.setattr(witnesses, "halt", lambda *_: None)
    tend(hub, http)
    assert guard(hub, http) is None
    assert grow(hub, child, 1) == 4


def test_a_stale_cosignature_is_kept_where_its_time_is_not_looked_at(hub, child, http, tmp_path, monkeypatch):
    """The control: it is the comparison of times that refuses it."""
    monkeypatch.setattr("gateway.exchange.witnessing.TOLERANCE", timedelta(days=1))
    with a_witness(tmp_path, "slow", clock=lambda: now() - timedelta(hours=1)) as late:
        alone = replace(hub, policy=policy_with(late))
        grow(alone, child, 1)
        assert heard(ask_all(alone, http)) == [Heard.COSIGNED]
