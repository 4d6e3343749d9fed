"""Reading the bodies that are forms: fields, and the upload of a file."""

from __future__ import annotations

import re
from email.message import Message
from urllib.parse import parse_qsl

from airflow_provider_rma.simulator.books.uploads import Upload
from airflow_provider_rma.simulator.http.responses import ResponseError

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
_MALFORMED = "Das Formular ist fehlerhaft."


def read_form(body: bytes) -> list[tuple[str, str]]:
    """Read the fields of a form, in order, repeated ones too."""
    try:
        return parse_qsl(body.decode("utf-8"), keep_blank_values=True, strict_parsing=bool(body), errors="strict")
    except ValueError as error:
        raise ResponseError(400, _MALFORMED) from error


def read_upload(body: bytes, content_type: str) -> Upload:
    """Read a form with a file ``Filedata`` and a text ``comment``.

    :param content_type: header with the boundary.
    """
    boundary = _parameters(content_type).get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise ResponseError(400, _MALFORMED)
    first, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("latin-1", "replace"))
    if first.strip() or not parts or not parts.pop().startswith(b"--"):
        raise ResponseError(400, _MALFORMED)
    upload, comment = None, ""
    for part in parts:
        headers, content = _split_part(part)
        name = headers.get_param("name", header="content-disposition")
        if name == "Filedata":
            upload = (str(headers.get_filename() or ""), headers.get_content_type(), content)
        elif name == "comment":
            comment = content.decode("utf-8", "replace")
    if upload is None:
        raise ResponseError(400, "Die Datei (Filedata) fehlt.")
    return Upload(*upload, comment)


def _split_part(part: bytes) -> tuple[Message, bytes]:
    head, separator, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    if not separator:
        raise ResponseError(400, _MALFORMED)
    headers = Message()
    headers.set_default_type("application/octet-stream")
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        if re.fullmatch(r"[A-Za-z-]+", name):
            headers[name] = value.strip()
    return headers, content


def _parameters(content_type: str) -> Message:
    headers = Message()
    headers["Content-Type"] = content_type
    return headers
