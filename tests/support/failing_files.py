"""Files in memory that fail when a test says so."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, Any

from fsspec.implementations.memory import MemoryFileSystem


@dataclass
class Trouble:
    """Makes calls of a file system fail.

    :param first: number of the first call that fails, from 1; None lets all through.
    :param forever: whether all later ones fail as well.
    :ivar calls: names of the calls that were made.
    :ivar starts_now: counts from here.
    """

    first: int | None = None
    forever: bool = True
    calls: list[str] = field(default_factory=list)

    def __call__(self, name: str) -> None:
        self.calls.append(name)
        if self.first is not None and (
            len(self.calls) == self.first or (self.forever and len(self.calls) > self.first)
        ):
            raise OSError(errno.ENOSPC, "secret of the storage")


class FailingFiles(MemoryFileSystem):
    """Files in memory, each instance with files of its own, of which any call may fail."""

    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.store: dict[str, Any] = {}
        self.pseudo_dirs = [""]
        self.trouble = Trouble()

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        self.trouble("makedirs")
        super().makedirs(path, exist_ok=exist_ok)

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        self.trouble("ls")
        return super().ls(path, detail=detail, **options)

    def mv(self, path1: str, path2: str, **options: Any) -> None:
        self.trouble("mv")
        with super().open(path1, "rb") as stream:
            content = stream.read()
        with super().open(path2, "wb") as stream:
            stream.write(content)
        super().rm_file(path1)

    def rm_file(self, path: str) -> None:
        self.trouble("rm_file")
        super().rm_file(path)

    def open(self, path: str, mode: str = "rb", **options: Any) -> IO[bytes]:
        self.trouble(f"open {mode}")
        if "w" in mode:
            return _Writing(self, path)
        stream: IO[bytes] = super().open(path, mode, **options)
        return stream

    def keep(self, path: str, content: bytes) -> None:
        """Make a file of what was written, when it is closed."""
        with super().open(path, "wb") as stream:
            stream.write(content)


class _Writing(BytesIO):
    def __init__(self, files: FailingFiles, path: str) -> None:
        super().__init__()
        self._files, self._path = files, path

    def write(self, content: Any) -> int:
        self._files.trouble("write")
        return super().write(content)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def close(self) -> None:
        if not self.closed:
            content = self.getvalue()
            super().close()
            self._files.trouble("close")
            self._files.keep(self._path, content)
