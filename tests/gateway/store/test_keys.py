import base64
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.store.childkey import ChildKey, SealBroken
from gateway.store.engine import libpq_url, open_database
from gateway.store.keys import KeyDestroyed, KeyMissing, KeyStore, open_keystore
from gateway.store.provider import FileKeyProvider, KeyProviderError
from gateway.store.secretfile import SecretFileError, create_once

CHILD, ROW = UUID(int=1), UUID(int=2)
KEY = ChildKey(CHILD, bytes(range(32)))


class Clock:
    """A monotonic clock a test moves by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(keys_copy, tmp_path, clock):
    """A key store of this test's own, whose cache goes by `clock`."""
    engine = open_database(keys_copy.app, pool_size=4).engine
    made = KeyStore(
        engine, FileKeyProvider(tmp_path / "keys" / "master.key"), tmp_path / "keys", monotonic=clock
    )
    made.prepare()
    yield made
    made.close()


@given(st.binary(max_size=300), st.uuids(), st.text(max_size=20))
def test_what_was_sealed_opens_again_for_the_same_row_and_kind(plaintext, row, kind):
    sealed = KEY.seal(plaintext, row=row, kind=kind)
    assert KEY.open(sealed, row=row, kind=kind) == plaintext
    assert len(sealed) == len(plaintext) + 29


@given(st.binary(max_size=40), st.data())
def test_a_sealed_value_does_not_open_after_any_one_byte_was_changed(plaintext, data):
    sealed = bytearray(KEY.seal(plaintext, row=ROW, kind="name"))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealBroken):
        KEY.open(bytes(sealed), row=ROW, kind="name")


@given(st.binary(max_size=60))
def test_bytes_nobody_sealed_are_refused(junk):
    with pytest.raises(SealBroken):
        KEY.open(junk, row=ROW, kind="name")


def test_a_sealed_value_cannot_be_moved_to_another_row_kind_or_child():
    sealed = KEY.seal(b"words", row=ROW, kind="goal")
    other = ChildKey(UUID(int=3), bytes(range(32)))  # even with the very same key
    for key, row, kind in ((KEY, UUID(int=9), "goal"), (KEY, ROW, "need"), (other, ROW, "goal")):
        with pytest.raises(SealBroken):
            key.open(sealed, row=row, kind=kind)


def test_the_same_words_are_never_sealed_to_the_same_bytes_twice():
    assert len({KEY.seal(b"same", row=ROW, kind="k") for _ in range(500)}) == 500


def test_a_broken_seal_and_a_key_show_ids_only():
    with pytest.raises(SealBroken) as broken:
        KEY.open(b"Wilhelmina", row=ROW, kind="name")
    assert "Wilhelmina" not in str(broken.value)
    assert repr(KEY) == f"ChildKey({CHILD})"


def test_a_digest_tells_whether_a_value_changed_and_only_within_one_child():
    other = ChildKey(UUID(int=3), os.urandom(32))
    assert KEY.digest(b"12 Elm Street") == KEY.digest(b"12 Elm Street")
    assert KEY.digest(b"12 Elm Street") != KEY.digest(b"13 Elm Street")
    assert KEY.digest(b"12 Elm Street") != other.digest(b"12 Elm Street")
    assert len(KEY.digest(b"")) == 32


def test_a_child_has_one_key_for_good(store):
    child = uuid4()
    assert store.create([child]) == 1
    sealed = store.get(child).seal(b"words", row=ROW, kind="goal")
    assert store.create([child]) == 0
    assert store.get(child).open(sealed, row=ROW, kind="goal") == b"words"


def test_two_children_have_different_keys(store):
    one, two = uuid4(), uuid4()
    store.create([one, two])
    assert store.get(one).digest(b"x") != store.get(two).digest(b"x")


def test_a_destroyed_key_is_gone_at_once_here_and_never_comes_back(store):
    child = uuid4()
    store.create([child])
    store.get(child)
    assert store.destroy(child) == 1
    for _ in range(2):
        with pytest.raises(KeyDestroyed):
            store.get(child)
        assert store.create([child]) == 0
    assert store.destroy(child) == 0


def test_nothing_of_a_destroyed_key_is_left_in_its_table(store, keys_copy):
    child = uuid4()
    store.create([child])
    with psycopg.connect(keys_copy.admin) as admin:
        (wrapped,) = admin.execute(
            "SELECT wrapped FROM child_key WHERE child_id = %s", (child,)
        ).fetchone() or (b"",)
        admin.rollback()
        store.destroy(child)
        assert admin.execute("SELECT wrapped, destroyed_at IS NOT NULL FROM child_key").fetchall() == [
            (None, True)
        ]
        path, folder = admin.execute(
            "SELECT pg_relation_filepath('child_key'), current_setting('data_directory')"
        ).fetchone() or ("", "")
        admin.execute("CHECKPOINT")
    if os.access(Path(folder, path), os.R_OK):
        assert wrapped not in Path(folder, path).read_bytes()


def test_a_child_nobody_made_a_key_for_is_a_bug_with_its_own_name(store):
    with pytest.raises(KeyMissing):
        store.get(uuid4())


def test_keys_of_many_children_come_together_without_the_destroyed_and_the_unknown(store):
    children = [uuid4() for _ in range(20)]
    store.create(children)
    assert store.destroy(*children[3:5], uuid4()) == 2
    found = store.get_many([*children, uuid4()])
    assert found.keys() == set(children) - set(children[3:5])
    sealed = found[children[0]].seal(b"w", row=ROW, kind="k")
    assert store.get(children[0]).open(sealed, row=ROW, kind="k") == b"w"


def test_a_plain_key_is_used_for_at_most_a_minute(store, keys_copy, clock):
    child = uuid4()
    store.create([child])
    store.get(child)
    with psycopg.connect(keys_copy.admin) as elsewhere:  # another process destroys it
        elsewhere.execute("UPDATE child_key SET wrapped = NULL, destroyed_at = now()")
    clock.now += 59.9
    store.get(child)
    clock.now += 0.1
    with pytest.raises(KeyDestroyed):
        store.get(child)


def test_a_minute_is_counted_from_the_reading_not_from_the_last_use(store, keys_copy, clock):
    child = uuid4()
    store.create([child])
    for _ in range(4):
        store.get(child)
        clock.now += 15
    with psycopg.connect(keys_copy.admin) as elsewhere:
        elsewhere.execute("DELETE FROM child_key")
    with pytest.raises(KeyMissing):
        store.get(child)


def test_another_process_with_the_same_file_opens_what_this_one_sealed(store, keys_copy, tmp_path):
    child = uuid4()
    store.create([child])
    sealed = store.get(child).seal(b"words", row=ROW, kind="goal")
    again = open_keystore(keys_copy.app, tmp_path)
    try:
        assert again.get(child).open(sealed, row=ROW, kind="goal") == b"words"
        assert again.deployment_secret("search") == store.deployment_secret("search")
    finally:
        again.close()


def test_another_key_file_is_refused_with_what_to_do(store, keys_copy, tmp_path):
    child = uuid4()
    store.create([child])
    wrong = open_keystore(keys_copy.app, tmp_path / "elsewhere")
    try:
        with pytest.raises(KeyProviderError, match="does not open this key store"):
            wrong.get(child)
        with pytest.raises(KeyProviderError, match="Restore the key file"):
            wrong.deployment_secret("search")
    finally:
        wrong.close()


def test_several_processes_may_open_a_new_store_at_once(keys_copy, tmp_path):
    program = (
        "import sys, pathlib; from gateway.store.keys import open_keystore;"
        "s = open_keystore(sys.argv[1], pathlib.Path(sys.argv[2])); print(s.deployment_secret('x').hex()); s.close()"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, keys_copy.app, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    answers = [process.communicate(timeout=60)[0].strip() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert len(set(answers)) == 1
    assert len(answers[0]) == 64


def test_the_deployments_secret_differs_by_purpose(store):
    assert store.deployment_secret("search") != store.deployment_secret("pairwise")
    assert len(store.deployment_secret("search")) == 32


def test_no_plain_key_is_in_the_database_and_a_shard_key_cannot_stand_in_for_another(store, keys_copy):
    child = UUID("00000000-0000-4000-8000-000000000007")
    store.create([child])
    store.get(child)
    store.close()
    with psycopg.connect(keys_copy.admin) as admin:
        admin.execute(
            "UPDATE shard_key SET wrapped = (SELECT wrapped FROM shard_key WHERE shard = 8) WHERE shard = 7"
        )
    store.prepare()
    with pytest.raises(KeyProviderError):
        store.get(child)


def test_twenty_thousand_children_get_their_keys_in_one_quick_transaction(store):
    children = [uuid4() for _ in range(20_000)]
    began = time.perf_counter()
    assert store.create(children) == 20_000
    made = time.perf_counter() - began
    assert len(store.get_many(children)) == 20_000
    assert made < 10  # under 1 s on an idle core; the bound is for a busy machine


def test_children_created_by_two_threads_in_opposite_order_do_not_deadlock(store):
    children = [uuid4() for _ in range(2_000)]
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(store.create, (children, children[::-1])))
    assert sum(made) == 2_000


def test_the_key_stores_login_cannot_enter_the_main_database(worker_copy, keys_copy, postgres):
    for url, other in ((postgres.urls.keys, worker_copy.name), (postgres.urls.app, keys_copy.name)):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(libpq_url(url, database=other))


def test_signing_keys_are_files_of_the_owner_alone_and_stay_the_same(store, tmp_path):
    ledger, token = store.signing_key("ledger"), store.ec_key("token")
    assert isinstance(ledger, ed25519.Ed25519PrivateKey)
    assert isinstance(token.curve, ec.SECP384R1)
    assert store.signing_key("ledger").private_bytes_raw() == ledger.private_bytes_raw()
    assert store.ec_key("token").private_numbers() == token.private_numbers()
    assert store.signing_key("witness").private_bytes_raw() != ledger.private_bytes_raw()
    for file in (tmp_path / "keys").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_a_signing_key_of_another_kind_is_refused(store):
    store.signing_key("ledger")
    store.ec_key("token")
    with pytest.raises(SecretFileError, match="P-384"):
        store.ec_key("ledger")
    with pytest.raises(SecretFileError, match="Ed25519"):
        store.signing_key("token")


@pytest.mark.parametrize("name", ["", "../ledger", "Ledger", "a/b", "x" * 41])
def test_a_signing_keys_name_cannot_leave_its_folder(store, name):
    with pytest.raises(ValueError, match="key's name"):
        store.signing_key(name)


def test_a_key_file_that_others_may_read_is_refused_with_the_command_that_helps(tmp_path):
    path = tmp_path / "master.key"
    FileKeyProvider(path)
    path.chmod(0o640)
    with pytest.raises(SecretFileError, match=f"chmod 600 {path}"):
        FileKeyProvider(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"planhub-key-1:", b"planhub-key-1:!!!!", b"planhub-key-1:" + base64.b64encode(bytes(31)), b"\xff"],
)
def test_a_damaged_key_file_is_refused_rather_than_replaced(tmp_path, content):
    path = tmp_path / "master.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyProviderError, match="not a Planhub key file"):
        FileKeyProvider(path)
    assert path.read_bytes() == content


@settings(max_examples=30)
@given(st.binary(min_size=1, max_size=64), st.binary(max_size=20), st.binary(max_size=20))
def test_a_wrapped_key_opens_only_in_its_own_context(tmp_path_factory, key, context, other):
    provider = FileKeyProvider(tmp_path_factory.getbasetemp() / "provider" / "master.key")
    wrapped = provider.wrap(key, context=context)
    assert provider.unwrap(wrapped, context=context) == key
    if other != context:
        with pytest.raises(KeyProviderError):
            provider.unwrap(wrapped, context=other)
    with pytest.raises(KeyProviderError):
        provider.unwrap(wrapped[:-1], context=context)


def test_of_several_writers_one_creates_a_secret_file_and_all_read_the_same(tmp_path):
    path = tmp_path / "new" / "secret"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: create_once(path, lambda: b"%d" % n), range(8)))
    assert path.read_bytes() in {b"%d" % n for n in range(8)}
    assert [entry.name for entry in path.parent.iterdir()] == ["secret"]
