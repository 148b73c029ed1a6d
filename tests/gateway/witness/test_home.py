"""What a witness keeps: stored before it is said, one request at a time, never back in time."""

import threading
from datetime import timedelta

import pytest

from consent.checkpoint import Checkpoint, sign_checkpoint
from consent.cosignature import cosigned_at
from consent.merkle import leaf_hash
from consent.note import SignerKey, parse_note
from consent.witness import Answer, Rejected, Request
from gateway.witness.home import ClockBehindError, Cosigned, WitnessHomeError, create_home, open_home
from tests.consent import naive_tree
from tests.gateway.family import SIGNER, now

LEAVES = [leaf_hash(b"%d" % n) for n in range(20)]


def submitted(old, new, *, signers=(SIGNER,)):
    note = sign_checkpoint(Checkpoint(SIGNER.name, new, naive_tree.mth(LEAVES[:new])), signers)
    proof = naive_tree.proof(old, LEAVES[:new]) if 0 < old < new else ()
    return str(Request(old, tuple(proof), note)).encode()


@pytest.fixture
def home(tmp_path):
    made = create_home(tmp_path / "witness", "library.example/witness")
    made.trust(SIGNER.verifier)
    return made


def test_a_witness_keeps_its_key_and_its_logs_when_it_is_made_again(home):
    again = create_home(home.folder, "another.example/name")
    assert (again.key, again.policy()) == (home.key, home.policy())
    assert (home.folder / "witness.key").stat().st_mode & 0o777 == 0o600


def test_a_folder_without_a_witness_says_how_to_make_one(tmp_path):
    with pytest.raises(WitnessHomeError, match="planhub witness init"):
        open_home(tmp_path)


def test_what_it_cosigned_is_on_disk_with_both_signatures_and_survives_a_restart(home):
    answer = home.cosign(submitted(0, 5), now)
    assert isinstance(answer, Cosigned)
    last = open_home(home.folder).last(SIGNER.name)
    assert [line.name for line in last.signatures] == [SIGNER.name, "library.example/witness"]
    assert open_home(home.folder).cosign(submitted(0, 5), now) == Rejected(Answer.OTHER_SIZE, "", 5)


def test_it_cosigns_only_forward_and_the_same_size_again_with_a_new_time(home):
    start = now()
    for step, (old, new) in enumerate([(0, 5), (5, 5), (5, 9)]):
        answer = home.cosign(submitted(old, new), lambda step=step: start + timedelta(minutes=step))
        assert (answer.size, cosigned_at(answer.line)) == (
            new,
            (start + timedelta(minutes=step)).replace(microsecond=0),
        )
    assert home.cosign(submitted(5, 7), now).size == 9


def test_attack_stale_time_a_clock_behind_the_last_cosignature_gives_none(home):
    home.cosign(submitted(0, 5), now)
    with pytest.raises(ClockBehindError):
        home.cosign(submitted(5, 9), lambda: now() - timedelta(hours=1))
    assert parse_note(str(home.last(SIGNER.name))).text.split("\n")[1] == "5"


def test_of_many_requests_at_once_the_state_never_goes_back(home):
    home.cosign(submitted(0, 3), now)
    barrier, answers = threading.Barrier(8), []

    def ask(new):
        barrier.wait()
        answers.append(home.cosign(submitted(3, new), now))

    threads = [threading.Thread(target=ask, args=(new,)) for new in range(5, 13)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    (won,) = [answer for answer in answers if isinstance(answer, Cosigned)]
    assert {answer.size for answer in answers if isinstance(answer, Rejected)} == {won.size}
    assert home.last(SIGNER.name).text.split("\n")[1] == str(won.size)


def test_a_state_file_that_was_changed_is_not_believed(home):
    home.cosign(submitted(0, 5), now)
    (path,) = home.folder.glob("*.checkpoint")
    path.write_text(path.read_text().replace("\n5\n", "\n4\n"))
    with pytest.raises(WitnessHomeError, match="never delete"):
        home.cosign(submitted(4, 9), now)


def test_a_log_nobody_named_is_unknown_and_leaves_nothing_behind(home):
    other = SignerKey("other.example/log", bytes(32))
    note = sign_checkpoint(Checkpoint(other.name, 1, LEAVES[0]), [other])
    assert home.cosign(str(Request(0, (), note)).encode(), now).answer is Answer.UNKNOWN_LOG
    assert not list(home.folder.glob("*.checkpoint"))


def test_a_log_that_changes_its_key_is_followed_by_the_old_by_both_and_by_the_new(home):
    after = SignerKey(SIGNER.name, bytes(reversed(range(32))))
    assert isinstance(home.cosign(submitted(0, 3), now), Cosigned)
    assert isinstance(home.cosign(submitted(3, 5, signers=[SIGNER, after]), now), Cosigned)
    assert home.cosign(submitted(5, 7, signers=[after]), now).answer is Answer.NOT_SIGNED
    home.trust(after.verifier)
    assert isinstance(home.cosign(submitted(5, 7, signers=[after]), now), Cosigned)


def test_a_broken_list_of_logs_names_the_line(home):
    (home.folder / "logs.policy").write_text("quorum none\nlog nonsense\n")
    with pytest.raises(WitnessHomeError, match="line 2"):
        home.policy()
