"""A file system in memory, and one that fills up."""

from __future__ import annotations

import errno
import os
import posixpath
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO


class MemoryFiles:
    """Files in memory, as much of an fsspec file system as a run and its evidence need."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Folders need not be made."""

    def open(self, path: str, mode: str = "rb") -> IO[bytes]:
        """Open a file."""
        if mode == "rb":
            return BytesIO(self.content[path])
        return _WritableFile(self, path)

    def rm_file(self, path: str) -> None:
        """Remove a file."""
        self.content.pop(path, None)

    def mv(self, path: str, target: str, **_: object) -> None:
        """Rename a file."""
        self.content[target] = self.content.pop(path)

    def exists(self, path: str) -> bool:
        """Whether there is such a file or folder."""
        return path in self.content or any(name.startswith(f"{path}/") for name in list(self.content))

    def ls(self, path: str, detail: bool = False) -> list[str]:
        """List the files of a folder."""
        return sorted(name for name in list(self.content) if posixpath.dirname(name) == path)

    def invalidate_cache(self, path: str | None = None) -> None:
        """Nothing is cached."""

    def take_room(self) -> None:
        """Called before each write; there is room for everything."""


@dataclass
class FillingFiles(MemoryFiles):
    """The same files, on a disk that is full from some write on.

    :param files: where everything is kept.
    :param room: how many writes there is room for.
    """

    files: MemoryFiles
    room: int
    is_full: bool = False
    content: dict[str, bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.content = self.files.content

    def take_room(self) -> None:
        """Count a write.

        :raises OSError: if there is no room for it.
        """
        self.room -= 1
        if self.room < 0:
            self.is_full = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class _WritableFile(BytesIO):
    """A file whose content is there as far as it was written, whether it is closed in order or not."""

    def __init__(self, files: MemoryFiles, path: str) -> None:
        super().__init__()
        self._files, self._path = files, path
        files.content[path] = b""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._files.take_room()
        return super().write(data)

    def close(self) -> None:
        if not self.closed:
            self._files.content[self._path] = self.getvalue()
        super().close()
