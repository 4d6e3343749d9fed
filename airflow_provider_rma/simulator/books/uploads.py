"""Uploaded receipts: each content once."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import Any

from airflow_provider_rma.simulator.books.storage import Store

_MEMBERS = "id, sha256, checksum, file_name, media_type, comment, received, LENGTH(content) AS size"


@dataclass(frozen=True)
class Upload:
    """A file as it arrived."""

    file_name: str
    media_type: str
    content: bytes
    comment: str = ""


class UploadStore:
    """Keeps uploaded receipts in the books' file."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def save(self, upload: Upload) -> dict[str, Any] | None:
        """Keep a file and return what is known of it; ``None`` if the same content is there already."""
        digest = hashlib.sha256(upload.content).hexdigest()
        with self._store.write() as connection:
            if self._store.fetch("SELECT 1 FROM upload WHERE sha256 = ?", (digest,)):
                return None
            number = self._store.next_id()
            connection.execute(
                "INSERT INTO upload VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    number,
                    digest,
                    str(zlib.crc32(upload.content)),
                    upload.file_name,
                    upload.media_type,
                    upload.comment,
                    self._store.clock().isoformat(timespec="milliseconds"),
                    upload.content,
                ),
            )
        return next(upload for upload in self.list() if upload["id"] == number)

    def list(self) -> list[dict[str, Any]]:
        """All uploads by id, without their content."""
        return [dict(row) for row in self._store.fetch(f"SELECT {_MEMBERS} FROM upload ORDER BY id")]  # noqa: S608
