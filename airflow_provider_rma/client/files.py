"""Files: an invoice as a document for people, and receipts before they are sent. Both are checked by their bytes."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any, Self

from urllib3.filepost import encode_multipart_formdata

from airflow_provider_rma.client.endpoint import Request
from airflow_provider_rma.client.errors import incomplete_error, unexpected_error
from airflow_provider_rma.client.responses import Response
from airflow_provider_rma.exceptions import FieldProblem, InvalidInputError
from airflow_provider_rma.schemas.receipt import ReceiptSchema

#: Where the mark of its end is to be looked for in a PDF, in bytes from the end (ISO 32000-1, annex H).
_PDF_TAIL = 1024

#: Most bytes of an upload (documented as 25 MB).
MAX_RECEIPT = 25 * 1024 * 1024

#: What a file of an allowed type begins with, and the endings that its name may have.
_TYPES = (
    (b"%PDF-", "application/pdf", ("pdf",)),
    (b"\x89PNG\r\n\x1a\n", "image/png", ("png",)),
    (b"\xff\xd8\xff", "image/jpeg", ("jpg", "jpeg")),
    (b"GIF87a", "image/gif", ("gif",)),
    (b"GIF89a", "image/gif", ("gif",)),
)
_ENDINGS = {ending for _, _, endings in _TYPES for ending in endings}
_UNFIT_FOR_NAMES = re.compile("[\x00-\x1f\x7f-\x9f/\\\\\ud800-\udfff]")
_LONGEST_NAME = 255


class InvoiceFile:
    """The bytes of a document that has arrived whole; a context manager.

    :param request: what was asked for.
    :ivar media_type: ``application/pdf`` or ``text/html``.
    :ivar size: bytes of the document.
    :raises UnexpectedResponseError: the response is something else, whatever its content type says.
    :raises IncompleteResponseError: it ends early.
    """

    def __init__(self, request: Request, response: Response) -> None:
        self._response = response
        self.media_type = response.media_type
        self.size = response.size
        if response.status != 200 or self.media_type != request.media_type:
            raise unexpected_error(f"the response is not {request.media_type}")
        if response.is_empty():
            raise unexpected_error("the document is empty")
        if self.media_type == "application/pdf":
            self._check_pdf()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the response; the document is gone then."""
        self._response.close()

    def read(self) -> bytes:
        """The whole document."""
        return self._response.read()

    def chunks(self) -> Iterator[bytes]:
        """The document in pieces, from its beginning."""
        return self._response.chunks()

    def reader(self) -> IO[bytes]:
        """The document as a file with a position of its own; to be closed by the caller."""
        return self._response.reader()

    def _check_pdf(self) -> None:
        with self.reader() as document:
            if not document.read(5).startswith(b"%PDF-"):
                raise unexpected_error("the response is not a PDF: it does not begin with %PDF")
            document.seek(max(0, self.size - _PDF_TAIL))
            if b"%%EOF" not in document.read(_PDF_TAIL):
                raise incomplete_error("PDF")


@dataclass(frozen=True)
class UploadedReceipt:
    """A file that the service holds.

    :param checksum: CRC32 of the file that was sent.
    :param is_known: the service held it already (409).
    :param entity: the service's statement about it, see ``ReceiptSchema``; None if there was none. A statement with a
        checksum has been compared.
    """

    checksum: int
    is_known: bool = False
    entity: dict[str, Any] | None = field(default=None, repr=False)


class PreparedReceipt:
    """A file that is fit to be sent.

    :param content: bytes, or a file that is read from where it stands.
    :param file_name: name without a folder; its ending must not contradict the content.
    :param comment: for the accountant.
    :raises InvalidInputError: with everything that is wrong.
    :ivar media_type: of the content, recognised by its first bytes.
    :ivar checksum: CRC32 of the content.
    """

    def __init__(self, content: bytes | IO[bytes], file_name: str, comment: str | None = None) -> None:
        self._content = _read_content(content)
        self._file_name = file_name
        self._comment = ReceiptSchema().from_user({"comment": comment}).get("comment") or ""
        found = next((row for row in _TYPES if self._content.startswith(row[0])), None)
        problems = [
            *self._content_problems(is_allowed=found is not None),
            *self._name_problems(found[2] if found else ()),
        ]
        if problems:
            raise InvalidInputError(problems)
        self.media_type = found[1] if found else ""
        self.checksum = zlib.crc32(self._content)

    def encode(self) -> tuple[bytes, str]:
        """Write the form (documented members ``Filedata`` and ``comment``). Returns its body and its media type."""
        fields: dict[str, Any] = {"Filedata": (self._file_name, self._content, self.media_type)}
        if self._comment:
            fields["comment"] = self._comment
        return encode_multipart_formdata(fields)

    def has_checksum(self, text: str) -> bool:
        """Whether a checksum that the service states is this file's; empty says nothing and is accepted.

        Decimal or hexadecimal, with or without leading zeros: the documentation does not say which.
        """
        text = text.strip().lower().removeprefix("0x")
        if not text:
            return True
        # Java prints a checksum that was made an int as a negative number.
        forms = {str(self.checksum), format(self.checksum, "x"), str(self.checksum - 2**32)}
        return (text.lstrip("0") or "0") in forms

    def _content_problems(self, *, is_allowed: bool) -> list[FieldProblem]:
        if not self._content:
            return [FieldProblem("receipt: content", "is empty", "give the file's content")]
        if len(self._content) > MAX_RECEIPT:
            return [FieldProblem("receipt: content", f"has more than {MAX_RECEIPT} bytes (25 MB)", "make it smaller")]
        if not is_allowed:
            text = "is neither PDF, PNG, JPEG nor GIF, judged by its first bytes"
            return [FieldProblem("receipt: content", text, "convert it; RMA takes only these types")]
        return []

    def _name_problems(self, endings: tuple[str, ...]) -> list[FieldProblem]:
        name = self._file_name
        if not isinstance(name, str) or not name.strip() or name.strip() in (".", ".."):
            return [FieldProblem("receipt: file_name", "is missing", "give a name such as invoice-4711.pdf")]
        if _UNFIT_FOR_NAMES.search(name):
            text = "has a folder, a line break or another control character"
            return [FieldProblem("receipt: file_name", text, "give the name alone")]
        if len(name) > _LONGEST_NAME:
            return [FieldProblem("receipt: file_name", f"has more than {_LONGEST_NAME} characters", "shorten it")]
        ending = name.rpartition(".")[2].lower()
        if endings and ending in _ENDINGS and ending not in endings:
            return [FieldProblem("receipt: file_name", "ends like another type than the content's", "correct the name")]
        return []


def _read_content(content: bytes | IO[bytes]) -> bytes:
    """Read a file to its end, or to the first byte that is too many."""
    if isinstance(content, bytes | bytearray):
        return bytes(content)
    pieces, size = [], 0
    while size <= MAX_RECEIPT and (piece := content.read(MAX_RECEIPT + 1 - size)):
        if not isinstance(piece, bytes):
            raise InvalidInputError([FieldProblem("receipt: content", "is text", "open the file in binary mode")])
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)
