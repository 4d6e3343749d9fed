"""Receipts: upload of a file for the accountant."""

from __future__ import annotations

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.http.forms import MULTIPART
from airflow_provider_rma.simulator.http.operations.base import ApiRequest, Operation
from airflow_provider_rma.simulator.http.responses import ResponseError, Result, WireEntity
from airflow_provider_rma.simulator.http.serialise import render_instant

_ALLOWED = ("application/pdf", "image/png", "image/jpg", "image/jpeg", "image/gif")
#: Most bytes of a file (documented as 25 MB).
_MOST = 25 * 1024 * 1024


def upload_receipt(books: Books, request: ApiRequest) -> Result:
    """Keep a file; the same content again is refused with 409."""
    upload = request.upload
    assert upload is not None  # noqa: S101 - the body was read as an upload
    if upload.media_type not in _ALLOWED:
        raise ResponseError(415, f"Der Dateityp '{upload.media_type}' ist nicht erlaubt.")
    if len(upload.content) > _MOST:
        raise ResponseError(413, "Die Datei ist grösser als 25 MB.")
    if not upload.content or not upload.file_name:
        raise ResponseError(400, "Die Datei ist leer oder hat keinen Namen.")
    saved = books.uploads.save(upload)
    if saved is None:
        raise ResponseError(409, "Das Dokument wurde bereits hochgeladen.")
    return WireEntity(
        "document",
        {
            "id": str(saved["id"]),
            "comment": saved["comment"],
            "checksum": saved["checksum"],
            "date_received": render_instant(saved["received"]),
            "file_name": saved["file_name"],
        },
    )


OPERATIONS = (Operation("POST", ("belege",), "upload_receipt", upload_receipt, form=MULTIPART),)
