"""The key store: every child's wrapped key, in a database of its own.

It is apart from the main database so that restoring the main one never brings a destroyed key back, and its backup keeps
only the newest copy (ARCHITECTURE §8). Nothing here is a record of a child: an id, a wrapped key, two dates.
"""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from sqlalchemy import Connection, Engine, text

from gateway.store.childkey import ChildKey
from gateway.store.engine import open_database
from gateway.store.provider import KEY_BYTES, NONCE_BYTES, FileKeyProvider, KeyProvider
from gateway.store.signing import ed25519_key, p384_key

SHARDS = 256
CACHE_SECONDS = 60.0
CACHE_KEYS = 32_768  # about 20 MB; the oldest goes first
_CHUNK = 5_000
_LOCK = 5_044_913_201  # pg_advisory_xact_lock: one process lays the tables
_SECRET = "deployment"  # noqa: S105  # the row's name, not a secret

_TABLES = (
    """CREATE TABLE IF NOT EXISTS shard_key (
         shard smallint PRIMARY KEY CHECK (shard BETWEEN 0 AND 255),
         wrapped bytea NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS child_key (
         child_id uuid PRIMARY KEY,
         wrapped bytea,
         created_at timestamptz NOT NULL DEFAULT now(),
         destroyed_at timestamptz,
         CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL)))""",
    """CREATE TABLE IF NOT EXISTS deployment_secret (
         name text PRIMARY KEY,
         wrapped bytea NOT NULL)""",
)


class KeyDestroyed(Exception):  # noqa: N818  # reads as what happened
    """This child's key was destroyed: what was sealed with it can never be read again."""


class KeyMissing(Exception):  # noqa: N818  # reads as what happened
    """No key was ever made for this child: a bug, since the key comes before the first row."""


class KeyStore:
    """Makes, hands out and destroys the children's keys, and derives the deployment's own secrets."""

    def __init__(
        self,
        engine: Engine,
        provider: KeyProvider,
        folder: Path,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`folder` holds the signing keys. `monotonic` is the clock of the cache, in seconds."""
        self._engine = engine
        self._provider = provider
        self._folder = folder
        self._monotonic = monotonic
        self._mutex = threading.Lock()
        self._wrapped_shards: dict[int, bytes] = {}
        self._shards: dict[int, AESGCM] = {}
        self._secret: bytes | None = None
        self._cache: OrderedDict[UUID, tuple[float, ChildKey]] = OrderedDict()
        self._ec_keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self._destroyed: set[UUID] = set()  # by this process: a reader under way must not cache the key again

    def create(self, child_ids: Iterable[UUID]) -> int:
        """Make a key for every child that never had one, in one durable transaction; how many were made.

        A child whose key exists keeps it; one whose key was destroyed does not get another.
        """
        made = 0
        rows = ((child_id, self._wrap(child_id, os.urandom(KEY_BYTES))) for child_id in sorted(child_ids))
        with self._engine.begin() as connection:
            while chunk := list(islice(rows, _CHUNK)):
                made += connection.execute(
                    text(
                        "INSERT INTO child_key (child_id, wrapped) "
                        "SELECT * FROM unnest(cast(:ids AS uuid[]), cast(:keys AS bytea[])) ON CONFLICT DO NOTHING"
                    ),
                    {"ids": [row[0] for row in chunk], "keys": [row[1] for row in chunk]},
                ).rowcount
        return made

    def get(self, child_id: UUID) -> ChildKey:
        """The child's key, read at most 60 s ago; raises `KeyDestroyed` or `KeyMissing`."""
        key = self.get_many((child_id,)).get(child_id)
        if key is not None:
            return key
        with self._engine.connect() as connection:
            known = connection.execute(text("SELECT 1 FROM child_key WHERE child_id = :id"), {"id": child_id})
            raise KeyDestroyed(str(child_id)) if known.first() else KeyMissing(str(child_id))

    def get_many(self, child_ids: Sequence[UUID]) -> dict[UUID, ChildKey]:
        """The keys of those of these children who have one; the destroyed are left out, and so are the unknown."""
        found = self._cached(child_ids)
        wanted = [child_id for child_id in child_ids if child_id not in found]
        asked_at = self._monotonic()
        for start in range(0, len(wanted), _CHUNK):
            with self._engine.connect() as connection:
                rows = connection.execute(
                    text(
                        "SELECT child_id, wrapped FROM child_key WHERE child_id = ANY(:ids) AND wrapped IS NOT NULL"
                    ),
                    {"ids": wanted[start : start + _CHUNK]},
                ).all()
            for child_id, wrapped in rows:
                found[child_id] = ChildKey(child_id, self._unwrap(child_id, bytes(wrapped)))
        self._remember(asked_at, (found[child_id] for child_id in wanted if child_id in found))
        return found

    def destroy(self, *child_ids: UUID) -> int:
        """Destroy these children's keys for good; how many there were to destroy.

        Other processes may use a copy for up to 60 s more. The rows stay, without their keys, so that no later `create`
        makes new ones. The table is then written anew, because an ordinary vacuum leaves the old bytes in its pages; for
        that moment (about a second for a million children) nobody else can read a key. Copies in the write-ahead log and
        in a backup last as long as those are kept, which is why the key store's backup keeps only the newest copy.
        """
        with self._mutex:
            self._destroyed.update(child_ids)
            for child_id in child_ids:
                self._cache.pop(child_id, None)
        with self._engine.begin() as connection:
            gone = connection.execute(
                text(
                    "UPDATE child_key SET wrapped = NULL, destroyed_at = now() "
                    "WHERE child_id = ANY(:ids) AND wrapped IS NOT NULL"
                ),
                {"ids": list(child_ids)},
            ).rowcount
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM (FULL) child_key"))
        return gone

    def deployment_secret(self, purpose: str) -> bytes:
        """32 bytes that are the same in every process of this deployment and for no other purpose or deployment.

        Keys the searchable hashes of names and identifiers and each agency's pairwise references. Derived with HKDF
        (RFC 5869 §2.3) from a secret that lies wrapped in the key store.
        """
        if self._secret is None:
            self._secret = self._read_secret()
        return HKDFExpand(algorithm=hashes.SHA256(), length=KEY_BYTES, info=purpose.encode()).derive(
            self._secret
        )

    def signing_key(self, name: str) -> ed25519.Ed25519PrivateKey:
        """The Ed25519 key of this name, from its file; made on first use. Signs the ledger."""
        return ed25519_key(self._folder, name)

    def ec_key(self, name: str) -> ec.EllipticCurvePrivateKey:
        """The P-384 key of this name, from its file; made on first use, read once in a process. Signs tokens."""
        found = self._ec_keys.get(name)
        if found is None:
            found = self._ec_keys[name] = p384_key(self._folder, name)
        return found

    def close(self) -> None:
        """Forget every plain key and close the connections."""
        with self._mutex:
            self._cache.clear()
            self._shards.clear()
            self._ec_keys.clear()
            self._secret = None
        self._engine.dispose()

    def prepare(self) -> None:
        """Lay the tables and make shard keys and secret where they are missing; safe in several processes at once."""
        with self._engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            for statement in _TABLES:
                connection.execute(text(statement))
            self._load_shards(connection)
            missing = [
                {
                    "shard": shard,
                    "wrapped": self._provider.wrap(os.urandom(KEY_BYTES), context=_shard_context(shard)),
                }
                for shard in range(SHARDS)
                if shard not in self._wrapped_shards
            ]
            if missing:
                connection.execute(
                    text("INSERT INTO shard_key (shard, wrapped) VALUES (:shard, :wrapped)"), missing
                )
                self._load_shards(connection)
            self._make_secret(connection)

    def _load_shards(self, connection: Connection) -> None:
        """Read the wrapped shard keys into memory; each is unwrapped when a child of its shard first comes by."""
        rows = connection.execute(text("SELECT shard, wrapped FROM shard_key")).all()
        self._wrapped_shards = {shard: bytes(wrapped) for shard, wrapped in rows}

    def _make_secret(self, connection: Connection) -> None:
        wrapped = self._provider.wrap(os.urandom(KEY_BYTES), context=_SECRET.encode())
        connection.execute(
            text("INSERT INTO deployment_secret VALUES (:name, :wrapped) ON CONFLICT DO NOTHING"),
            {"name": _SECRET, "wrapped": wrapped},
        )

    def _read_secret(self) -> bytes:
        with self._engine.connect() as connection:
            wrapped = connection.execute(
                text("SELECT wrapped FROM deployment_secret WHERE name = :name"), {"name": _SECRET}
            ).scalar_one()
        return self._provider.unwrap(bytes(wrapped), context=_SECRET.encode())

    def _shard(self, child_id: UUID) -> AESGCM:
        """The cipher of the child's shard, unwrapped once per process. The last byte of a UUID of any version is random."""
        shard = child_id.bytes[-1]
        cipher = self._shards.get(shard)
        if cipher is None:
            cipher = AESGCM(self._provider.unwrap(self._wrapped_shards[shard], context=_shard_context(shard)))
            self._shards[shard] = cipher
        return cipher

    def _wrap(self, child_id: UUID, key: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._shard(child_id).encrypt(nonce, key, child_id.bytes)

    def _unwrap(self, child_id: UUID, wrapped: bytes) -> bytes:
        return self._shard(child_id).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], child_id.bytes)

    def _cached(self, child_ids: Iterable[UUID]) -> dict[UUID, ChildKey]:
        with self._mutex:
            oldest = self._monotonic() - CACHE_SECONDS
            while self._cache and next(iter(self._cache.values()))[0] <= oldest:
                self._cache.popitem(last=False)
            entries = ((child_id, self._cache.get(child_id)) for child_id in child_ids)
            return {
                child_id: entry[1] for child_id, entry in entries if entry is not None and entry[0] > oldest
            }

    def _remember(self, read_at: float, keys: Iterable[ChildKey]) -> None:
        with self._mutex:
            for key in keys:
                if key.child_id in self._destroyed:
                    continue
                self._cache[key.child_id] = (read_at, key)
                self._cache.move_to_end(key.child_id)
            while len(self._cache) > CACHE_KEYS:
                self._cache.popitem(last=False)


def open_keystore(url: str, home: Path, *, key_file: Path | None = None, pool_size: int = 4) -> KeyStore:
    """The key store on this database, its tables laid and its shard keys made where they are missing.

    Shard keys are wrapped by `key_file` (default: keys/master.key under `home`); signing keys lie in keys/ under `home`.
    """
    folder = home / "keys"
    provider = FileKeyProvider(key_file or folder / "master.key")
    engine = open_database(url, pool_size, application="planhub keys").engine
    store = KeyStore(engine, provider, folder)
    store.prepare()
    return store


@contextmanager
def keystore(url: str, home: Path, *, key_file: Path | None = None) -> Iterator[KeyStore]:
    """`open_keystore` for a block, closed at its end."""
    store = open_keystore(url, home, key_file=key_file)
    try:
        yield store
    finally:
        store.close()


def _shard_context(shard: int) -> bytes:
    return b"planhub shard key 1 %d" % shard
