"""The bytes of a response with postings become Arrow batches, fast where that is proven to be right.

Two paths lead to the same rows:

* The **strict path**: parsed by the client, read by the marshmallow schema, posting by posting. It reads everything
  that can be read, keeps what nobody has documented, and says what is wrong with the rest.
* The **fast path**: a decoder in native code makes columns of text (:mod:`.xml_path`, :mod:`.json_path`), whole columns
  are checked and typed (:mod:`.columns`). It hands out rows only of bytes that have been shown to have the documented
  form (:mod:`.xml_recogniser`), in which both paths agree.

Whenever the fast path meets anything else (an unknown element, a document that ends early, a value that cannot be read,
a row too many) it refuses, and the strict path takes over behind the rows that were handed out. So every message, and
every judgement on what is odd, comes from one place.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from airflow_provider_rma.exceptions import RequestError
from airflow_provider_rma.ledger._pyarrow import pa
from airflow_provider_rma.ledger.postings.batches import BATCH_ROWS, PostingBatches
from airflow_provider_rma.ledger.postings.decode.fields import FastPathRefusedError, ReadProgress
from airflow_provider_rma.ledger.postings.decode.json_path import json_batches
from airflow_provider_rma.ledger.postings.decode.xml_path import xml_batches

if TYPE_CHECKING:
    from airflow_provider_rma.client.stream import RawResponse

log = logging.getLogger(__name__)


class PostingReader:
    """Batches of the postings of one response; iterate once.

    :param source: the response.
    :param batches: makes rows of postings; says to which tenant, window and load they belong.
    :param strict: take the strict path from the beginning.
    :ivar count: postings handed out so far.
    :ivar announced: how many the service announced; certain at the end, None if it announced none.
    :ivar refusal: why the fast path was left, empty if it was not.
    """

    def __init__(self, source: RawResponse, batches: PostingBatches, *, strict: bool = False) -> None:
        self._source = source
        self._batches = batches
        self._progress = ReadProgress()
        self._is_strict = strict
        self.refusal = ""

    @property
    def count(self) -> int:
        return self._progress.count

    @property
    def announced(self) -> int | None:
        return self._progress.announced

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches, in the order of the response.

        :raises UnexpectedResponseError: for a posting or a document that cannot be read.
        :raises IncompleteResponseError: if the response ends early or its count does not hold, after some
            batches.
        """
        stopwatch = self._source.stopwatch
        with closing(self._decode()) as batches:
            while True:
                stopwatch.run()
                batch = next(batches, None)
                stopwatch.pause()
                if batch is None:
                    return
                yield batch

    def _decode(self) -> Generator[pa.RecordBatch, None, None]:
        if not self._is_strict:
            try:
                yield from self._fast()
            except FastPathRefusedError as refusal:
                self.refusal = str(refusal)
            else:
                return
        position = self.count + 1
        with closing(self._strict()) as batches:
            for index, batch in enumerate(batches):
                # Only with postings: the fast path leaves each month without any to the strict one.
                if self.refusal and not index:
                    log.info(
                        "%s: the slower, strict reader takes over at posting %d: %s.",
                        self._batches.load.window,
                        position,
                        self.refusal,
                    )
                yield batch

    def _fast(self) -> Generator[pa.RecordBatch, None, None]:
        decode = xml_batches if self._source.content_type == "xml" else json_batches
        try:
            for batch in decode(self._source, self._batches, self._progress):
                self._progress.count += batch.num_rows
                yield batch
        except RequestError:
            raise FastPathRefusedError("it cannot be read") from None

    def _strict(self) -> Generator[pa.RecordBatch, None, None]:
        batches, progress = self._batches, self._progress
        batches.restart(progress.count)
        with self._source.entities(skip=progress.count) as stream:
            for posting in stream:
                batches.append(posting)
                if len(batches) >= BATCH_ROWS:
                    progress.count, progress.announced = stream.count, stream.announced
                    yield batches.take()
            progress.count, progress.announced = stream.count, stream.announced
            if len(batches):
                yield batches.take()
