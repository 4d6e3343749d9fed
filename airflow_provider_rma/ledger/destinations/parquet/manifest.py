"""Manifests: which Parquet files make up a window, replaced in one step.

A window is a folder ``tenant=<t>/month=<YYYY-MM>/`` with data files that are written once and never changed, and one
``manifest.json`` that names those that count. Who follows the manifest sees the old files or the new ones. There is no
manifest above the window, so windows and tenants never wait for each other.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_rma.exceptions import ConfigurationError, DestinationError
from airflow_provider_rma.fault_points import reach
from airflow_provider_rma.ledger import contract
from airflow_provider_rma.ledger.contract import CONTRACT_VERSION

NAME = "manifest.json"
#: No space, no more of it for this user, a file that may grow no larger, a file system that is read-only.
_LASTING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
#: Libraries that talk to object stores and have errors of their own; and words in the names of errors that waiting does
#: not heal.
_STORE_LIBRARIES = frozenset(
    {"adlfs", "aiobotocore", "aiohttp", "azure", "boto3", "botocore", "gcsfs", "google", "requests", "s3fs", "urllib3"}
)
_LASTING_NAMES = ("Credential", "Forbidden", "Unauthorized", "Permission", "Validation", "InvalidBucket", "ClientAuth")
_STAMP = "%Y%m%dT%H%M%SZ"
#: `<table>-<load id>-<time>-<random>.parquet`; the time tells how long a file that nobody names has been lying there.
_FILE = re.compile(r".+-(?P<stamp>\d{8}T\d{6}Z)-[0-9a-f]{8}\.parquet")
#: A manifest on a file system whose put is not atomic may be caught half written: read it again after these seconds.
_READ_AGAIN = (0.1, 0.5)


@dataclass
class Manifest:
    """What counts in one folder.

    :param about: what the folder is for, e.g. tenant, month, verdicts; for people and programs that look in.
    :param files: by kind of file: name and number of rows of each.
    :param superseded: files that counted before, and since when (ISO time, UTC) they do not.
    :param versions: the version of the contract that each file was written by; files of the same version have the same
        columns. Absent for files that an earlier version of this package wrote.
    """

    about: dict[str, Any] = field(default_factory=dict)
    files: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    superseded: dict[str, str] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    def names(self, kind: str) -> list[str]:
        """Names of the files of a kind."""
        return [entry["name"] for entry in self.files.get(kind, ())]

    def rows(self, kind: str) -> int:
        """Rows of the files of a kind together."""
        return sum(int(entry["rows"]) for entry in self.files.get(kind, ()))

    def all_names(self) -> set[str]:
        """Names of all files that count."""
        return {name for kind in self.files for name in self.names(kind)}


def partition(tenant: str, month: str | None = None) -> str:
    """Return the folder of a tenant or of one of its months, below the root. Characters other than letters, digits and
    ``_.-~`` are percent-encoded, as Hive does."""
    folder = f"tenant={quote(tenant, safe='')}"
    return f"{folder}/month={month}" if month else folder


def new_name(table: str, load_id: str) -> str:
    """Make a file name that was never used before, even if the same load is tried again."""
    stamp = datetime.now(UTC).strftime(_STAMP)
    return f"{table}-{quote(load_id, safe='')}-{stamp}-{secrets.token_hex(4)}.parquet"


def read_manifest(fs: AbstractFileSystem, folder: str) -> Manifest | None:
    """Read the manifest of a folder; None if it has none.

    :raises DestinationError: it cannot be read.
    :raises ConfigurationError: a newer version of this package wrote it.
    """
    text = read_json(fs, f"{folder}/{NAME}")
    if text is None:
        return None
    version = text.get("contract")
    if not isinstance(version, int) or version > CONTRACT_VERSION:
        raise ConfigurationError(
            f"{folder}/{NAME} was written by a newer version of this provider (column contract {version}).",
            advice="Upgrade airflow-provider-rma.",
        )
    return _from_dict(text)


def _from_dict(text: dict[str, Any]) -> Manifest:
    return Manifest(text["about"], text["files"], text["superseded"], text.get("versions", {}))


def parse_manifest(content: object) -> Manifest | None:
    """Parse a manifest of a version that this package knows; None for anything else, which is then to be read again."""
    if not isinstance(content, bytes):
        return None
    try:
        text = json.loads(content)
        is_known = isinstance(text["contract"], int) and text["contract"] <= CONTRACT_VERSION
        return _from_dict(text) if is_known else None
    except (ValueError, KeyError, TypeError):
        return None


def write_manifest(fs: AbstractFileSystem, folder: str, manifest: Manifest) -> None:
    """Replace a manifest in one step."""
    content = {
        "contract": CONTRACT_VERSION,
        "about": manifest.about,
        "files": manifest.files,
        "superseded": manifest.superseded,
        "versions": manifest.versions,
    }
    write_json(fs, f"{folder}/{NAME}", content)
    reach("manifest.written")


def read_json(fs: AbstractFileSystem, path: str) -> dict[str, Any] | None:
    """Read a small JSON file; None if there is none.

    :raises DestinationError: it cannot be read, also not a moment later.
    """
    for wait in (*_READ_AGAIN, None):
        try:
            with translate_os_errors(path):
                found = json.loads(fs.cat_file(path))
        except FileNotFoundError:
            return None
        except ValueError as error:
            if wait is None:
                raise DestinationError(
                    f"{path} is damaged.", advice="Remove it and load its window again; the data files are unharmed."
                ) from error
            time.sleep(wait)
            continue
        if isinstance(found, dict):
            return found
        raise DestinationError(f"{path} is damaged.", advice="Remove it and load its window again.")
    raise AssertionError("unreachable")


def write_json(fs: AbstractFileSystem, path: str, content: dict[str, Any]) -> None:
    """Replace a small file in one step: by renaming on a local file system, elsewhere by a single put."""
    data = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True).encode()
    with translate_os_errors(path):
        if not is_local(fs):
            fs.pipe_file(path, data)
            return
        draft = f"{path}.{secrets.token_hex(4)}.tmp"
        with open(draft, "wb") as file:
            file.write(data)
            file.flush()
            # Else a power cut could leave an empty file under the final name.
            os.fsync(file.fileno())
        reach("draft.written")
        os.replace(draft, path)


def is_local(fs: AbstractFileSystem) -> bool:
    """Return whether paths of the file system are paths of this machine."""
    return isinstance(fs, LocalFileSystem)


def list_names(fs: AbstractFileSystem, folder: str) -> list[str]:
    """List the names in a folder, sorted and never from a cache; empty if it does not exist."""
    fs.invalidate_cache(folder)
    try:
        with translate_os_errors(folder):
            found = fs.ls(folder, detail=False)
    except FileNotFoundError:
        return []
    paths = (str(path).rstrip("/") for path in found)
    # An object store may list the object that stands for the folder itself.
    return sorted(path.rpartition("/")[2] for path in paths if path != folder.rstrip("/"))


def supersede(old: Manifest | None, new: Manifest, grace: timedelta) -> list[str]:
    """Note in ``new`` which files of ``old`` no longer count, and the versions of those that do.

    :param grace: how long a reader may still follow a manifest of before.
    :return: files that have not counted for longer than that and may be removed once ``new`` is in place.
    """
    now = datetime.now(UTC)
    live = new.all_names()
    known = old.all_names() if old else set()
    new.versions = dict.fromkeys(sorted(live - known), contract.CONTRACT_VERSION)
    if old is None:
        return []
    new.versions |= {name: version for name, version in old.versions.items() if name in live}
    since = {**dict.fromkeys(sorted(old.all_names()), now.isoformat(timespec="seconds")), **old.superseded}
    new.superseded = {}
    expired = []
    for name, stamp in since.items():
        if name in live:
            continue
        if now - datetime.fromisoformat(stamp) >= grace:
            expired.append(name)
        else:
            new.superseded[name] = stamp
    return expired


def find_orphans(fs: AbstractFileSystem, folder: str, manifest: Manifest, grace: timedelta) -> list[str]:
    """List data files that no manifest names and that are older than ``grace``: left behind by a run that was killed.

    Younger ones may belong to a run that is still writing.
    """
    before = (datetime.now(UTC) - grace).strftime(_STAMP)
    known = manifest.all_names() | manifest.superseded.keys()
    return [
        name
        for name in list_names(fs, folder)
        if name not in known and (match := _FILE.fullmatch(name)) and match["stamp"] <= before
    ]


@contextmanager
def translate_os_errors(path: str) -> Iterator[None]:
    """Turn errors of the file system into ours; a missing file stays a FileNotFoundError.

    Libraries of object stores (botocore, google, azure) have errors of their own, which are no OSErrors.

    :raises DestinationError: retryable unless rights or space are missing.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        lasting = isinstance(error, (PermissionError, NotADirectoryError, IsADirectoryError)) or error.errno in _LASTING
        raise DestinationError(
            f"{path} cannot be read or written ({error.strerror or type(error).__name__}).",
            advice="Check the path, its rights and the free space.",
            retryable=not lasting,
        ) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _STORE_LIBRARIES:
            raise
        problem = _store_error(path, error)
    else:
        return
    # Not chained: the libraries quote addresses, which can hold keys.
    raise problem


def _store_error(path: str, error: Exception) -> DestinationError:
    response = getattr(error, "response", None)
    response = response if isinstance(response, Mapping) else {}
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode") or getattr(error, "status_code", None)
    code = response.get("Error", {}).get("Code")
    name = type(error).__name__
    refused = isinstance(status, int) and 400 <= status < 500 and status not in (408, 429)
    lasting = refused or any(word in name for word in _LASTING_NAMES)
    return DestinationError(
        f"{path} cannot be read or written ({', '.join(filter(None, (name, code)))}).",
        advice="Check the path, its rights, and the credentials of its connection.",
        retryable=not lasting,
    )
