"""The mark on the folder of a warehouse: files of others are not mixed with those of the provider."""

from __future__ import annotations

from typing import Any

from fsspec import AbstractFileSystem

from airflow_provider_rma.exceptions import ConfigurationError, DestinationError
from airflow_provider_rma.ledger.destinations.parquet.manifest import (
    NAME,
    list_names,
    read_json,
    translate_os_errors,
)

#: File in the root of every warehouse.
MARK = "airflow-provider-rma.json"
_CONTENT = b'{"content": "Ledger of Run my Accounts", "kept_by": "airflow-provider-rma"}\n'
#: How many names a message lists.
_NAMED = 5


def claim_folder(fs: AbstractFileSystem, root: str, location: str) -> None:
    """Create and mark the folder of a warehouse, if it is not marked already.

    A folder that an earlier version made has no mark; it is known by its manifests.

    :param location: how messages name the folder.
    :raises ConfigurationError: it has files of others. Nothing was changed.
    """
    names = list_names(fs, root)
    if MARK in names:
        return
    others = [name for name in names if not name.startswith(".") and not _has_manifest(fs, f"{root}/{name}")]
    if others:
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        raise ConfigurationError(
            f"{location} has files that this provider did not write: {', '.join(others[:_NAMED])}{more}. "
            "Nothing was changed.",
            advice="Give the warehouse a folder of its own.",
        )
    with translate_os_errors(root):
        fs.makedirs(root, exist_ok=True)
        # That it is there counts. Two runs may write it at the same moment.
        with fs.open(f"{root}/{MARK}", "wb") as file:
            file.write(_CONTENT)


def _has_manifest(fs: AbstractFileSystem, folder: str) -> bool:
    """Return whether a folder is that of a tenant, with a manifest or a convention in it."""
    if not folder.rpartition("/")[2].startswith("tenant="):
        return False
    if _read(fs, f"{folder}/convention.json"):
        return True
    manifests = (_read(fs, f"{folder}/{part}/{NAME}") for part in list_names(fs, folder))
    return any("contract" in manifest and "superseded" in manifest for manifest in manifests)


def _read(fs: AbstractFileSystem, path: str) -> dict[str, Any]:
    try:
        return read_json(fs, path) or {}
    except DestinationError:
        # Somebody's file of the same name, which is not JSON.
        return {}
