"""A throw-away object store that speaks the protocol of S3, in this process, and counts the requests."""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import Any

import s3fs
from moto.server import ThreadedMotoServer


class ObjectStore:
    """A running store; a context manager.

    :ivar requests: requests by method and kind: ``GET list``, ``GET object``, ``HEAD object``, ``PUT object``, …
    """

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.requests: Counter[str] = Counter()
        self._buckets = 0

    def __enter__(self) -> ObjectStore:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    def filesystem(self) -> s3fs.S3FileSystem:
        """Return a file system of its own, with nothing in its caches, that counts its requests."""
        host, port = self._server.get_host_and_port()
        fs = s3fs.S3FileSystem(
            key="example",
            secret="example",
            endpoint_url=f"http://{host}:{port}",
            client_kwargs={"region_name": "eu-central-1"},
            skip_instance_cache=True,
        )
        call = fs._call_s3

        async def count(method: str, *arguments: Any, **more: Any) -> Any:
            self.requests[method] += 1
            return await call(method, *arguments, **more)

        fs._call_s3 = count
        return fs

    def make_bucket(self) -> str:
        """Make an empty bucket; return its name."""
        self._buckets += 1
        name = f"ledger-{self._buckets}"
        self.filesystem().mkdir(name)
        return name
