"""Responses in XML: one thread decodes the bytes into columns of text, one looks at what it decodes, and this one types
the columns. The first two do without Python's lock."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Generator
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_rma.fault_points import reach
from airflow_provider_rma.ledger._pyarrow import pa
from airflow_provider_rma.ledger.postings.batches import BATCH_ROWS, PostingBatches
from airflow_provider_rma.ledger.postings.decode.columns import PostingColumns
from airflow_provider_rma.ledger.postings.decode.fields import (
    ITEM,
    ROOT,
    FastPathRefusedError,
    Leaf,
    ReadProgress,
    leaves,
)
from airflow_provider_rma.ledger.postings.decode.xml_recogniser import Recogniser

if TYPE_CHECKING:
    from airflow_provider_rma.client.stream import RawResponse

try:
    import xml2arrow
except ImportError:
    #: Whether the decoder is installed, as with each extra of a warehouse; else the strict path reads everything.
    IS_INSTALLED = False
else:
    IS_INSTALLED = True

log = logging.getLogger(__name__)


def xml_batches(
    source: RawResponse, batches: PostingBatches, progress: ReadProgress
) -> Generator[pa.RecordBatch, None, None]:
    """Make batches of a response that has the documented form.

    The recogniser is independent of the decoder, which would accept a document that is cut off or goes on behind its
    root: no row is handed out before the bytes it comes from, and at least as many rows, have been recognised.

    :param progress: how many postings were handed out is kept by the caller; what was announced is put in here.
    :raises FastPathRefusedError: as soon as the response does not have that form.
    """
    if not IS_INSTALLED:
        _warn_once()
        raise FastPathRefusedError("the decoder is not installed")
    decoder, columns = xml_decoder(), PostingColumns(batches)
    with Recogniser(source.reader()) as recogniser, source.reader() as body:
        for texts in decode_texts(decoder, source.path() or body):
            recogniser.wait_for(progress.count + texts.num_rows)
            progress.announced = recogniser.announced
            yield columns.convert(texts)
        if recogniser.wait_for_end() != progress.count:
            raise FastPathRefusedError("some postings were not decoded")
        if progress.announced not in (None, progress.count):
            raise FastPathRefusedError("the announced count does not hold")


def decode_texts(decoder: Any, body: Any) -> Generator[pa.RecordBatch, None, None]:
    """Decode a document into columns of text, without any check.

    :param decoder: see :func:`xml_decoder`.
    :param body: path, or stream of bytes.
    """
    stream = decoder.parse_batches(body, max_rows_per_batch=BATCH_ROWS)
    while True:
        try:
            _, texts = next(stream)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001  the strict path says what it stumbled over
            raise FastPathRefusedError(f"the decoder gave up ({type(error).__name__})") from None
        yield texts


@cache
def xml_decoder() -> Any:
    """Make the decoder. A file says what it decodes; it has no name, so that no crash leaves it behind."""
    try:
        with tempfile.TemporaryFile() as file:
            file.write(_configuration().encode())
            file.flush()
            file.seek(0)
            reach("decoder.configured")
            return xml2arrow.XmlToArrowParser(f"/dev/fd/{file.fileno()}")
    except OSError as error:
        raise FastPathRefusedError(f"there is no room for the decoder's configuration ({error.strerror})") from None


@cache
def _warn_once() -> None:
    log.warning(
        "The package xml2arrow is not installed: postings are read the strict way, at about a tenth of the speed. "
        "Each of the extras duckdb, parquet and postgres brings it."
    )


def _configuration() -> str:
    fields = "".join(
        f"      - {{name: {leaf.column}, xml_path: /{ROOT}/{ITEM}/{_path(leaf)}, data_type: Utf8, nullable: true}}\n"
        for leaf in leaves()
        if leaf.is_kept
    )
    return (
        "parser_options: {trim_text: false}\n"
        f"tables:\n  - name: {ITEM}\n    xml_path: /{ROOT}\n    levels: []\n    fields:\n{fields}"
    )


def _path(leaf: Leaf) -> str:
    return f"{leaf.member}/@{leaf.part}" if leaf.part else leaf.member
