"""Vendors, vendor invoices and receipts, against a server that does what it is told."""

from __future__ import annotations

import io
import logging
import zlib
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from email import message_from_bytes
from typing import Any

import pytest

from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.files import MAX_RECEIPT, PreparedReceipt
from airflow_provider_rma.exceptions import (
    ConfigurationError,
    InvalidInputError,
    OutcomeUnknownError,
    RejectedError,
    RequestError,
    UnexpectedResponseError,
)
from airflow_provider_rma.schemas.purchases import PayableSchema, VendorSchema
from tests.support.http_client import HTML, make_client, request_error, serve
from tests.support.scripted_server import Reply, ScriptedServer, hang_up, respond

VENDOR = VendorSchema().from_user({"vendornumber": "L-1", "name": "Molkerei Oberalp"})
PAYABLE = PayableSchema().from_user(
    {
        "invnumber": "MO-1",
        "transdate": "2026-01-05",
        "vendor": {"vendornumber": "L-1", "name": "Molkerei Oberalp"},
        "expenseentries": [{"amount": "100.00", "expense_accno": "4000", "projectNumber": "P-1"}],
        "taxentries": [{"amount": "8.10", "tax_accno": "1170"}],
    }
)
PDF = b"%PDF-1.4\n%%EOF\n"


@pytest.mark.parametrize("form", ["json", "xml"])
def test_vendors_and_vendor_invoices_are_read(form: Any) -> None:
    bodies = {
        "json": [
            b'{"vendor": {"vendornumber": "L-1", "name": "M"}}',
            b'{"vendornumber": "L-1", "name": "M"}',
            b'{"payable": [{"invnumber": "K-1", "paymentAccno": "1020", "amount": "100.0", "vendor": {"vendornumber":'
            b' "L-1", "name": "M"}, "expenseentries": {"expenseentry": {"amount": "100.0", "expense_accno": "4000",'
            b' "projectNumber": "P-1"}}}]}',
            b'{"invnumber": "K-1", "paid": "50.0"}',
        ],
        "xml": [
            b"<vendors><vendor><vendornumber>L-1</vendornumber><name>M</name></vendor></vendors>",
            b"<vendor><vendornumber>L-1</vendornumber><name>M</name></vendor>",
            b"<payables><payable><invnumber>K-1</invnumber><paymentAccno>1020</paymentAccno><amount>100.0</amount>"
            b"<vendor><vendornumber>L-1</vendornumber><name>M</name></vendor><expenseentries><expenseentry>"
            b"<amount>100.0</amount><expense_accno>4000</expense_accno><projectNumber>P-1</projectNumber>"
            b"</expenseentry></expenseentries></payable></payables>",
            b"<payable><invnumber>K-1</invnumber><paid>50.0</paid></payable>",
        ],
    }[form]
    replies = [respond(200, body, f"application/{form}") for body in [*bodies[:3], bodies[2], bodies[3]]]
    with ScriptedServer(replies) as server, make_client(server, content_type=form) as client:
        assert [vendor["vendornumber"] for vendor in client.list_vendors()] == ["L-1"]
        assert client.get_vendor("L-1")["name"] == "M"
        (payable,) = client.list_payables(from_date=date(2026, 1, 1), to_date=date(2026, 1, 31))
        assert list(client.iter_payables(from_date=date(2026, 1, 1))) == [payable]
        assert client.get_payable("K-1")["paid"] == Decimal(50)
        assert client.unknown_fields == set()
    assert payable["expenseentries"] == [{"amount": Decimal(100), "expense_accno": "4000", "projectNumber": "P-1"}]
    assert (payable["paymentAccno"], payable["vendor"]["vendornumber"]) == ("1020", "L-1")
    assert [seen.target.partition("/demo")[2] for seen in server.seen] == [
        "/vendors",
        "/vendors/L-1",
        "/payables?from=2026-01-01&to=2026-01-31",
        "/payables?from=2026-01-01",
        "/payables/K-1",
    ]


WRITES: list[Callable[..., None]] = [
    lambda client, **options: client.save_vendor(VENDOR, **options),
    lambda client, **options: client.create_payable(PAYABLE, **options),
]


@pytest.mark.parametrize("write", WRITES)
def test_a_write_that_is_not_documented_must_be_asked_for(
    write: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    server, client = serve(respond(204))
    with server, client, caplog.at_level(logging.WARNING):
        with pytest.raises(ConfigurationError, match="experimental=True") as caught:
            write(client)
        assert "is not documented by RMA" in str(caught.value)
        assert server.seen == []
        assert caplog.text == ""
        write(client, experimental=True)
    assert [seen.method for seen in server.seen] == ["POST"]
    assert "is experimental" in caplog.text


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (respond(400, b'{ "error": "nein" }'), RejectedError),
        (respond(400, HTML, "text/html"), OutcomeUnknownError),
        (respond(500, b'{ "error": "nein" }'), OutcomeUnknownError),
        (hang_up, OutcomeUnknownError),
    ],
)
@pytest.mark.parametrize("write", WRITES)
def test_vendors_and_vendor_invoices_are_sent_once(
    write: Callable[..., None], reply: Reply, error: type[RequestError]
) -> None:
    server, client = serve(reply)
    with server, client:
        assert type(request_error(lambda: write(client, experimental=True))) is error
    assert len(server.seen) == 1


@pytest.mark.parametrize("reply", [respond(204), respond(200, b"<vendor><id>7</id></vendor>", "application/xml")])
def test_a_vendor_may_be_answered_with_its_id(reply: Reply) -> None:
    server, client = serve(reply, content_type="xml")
    with server, client:
        client.save_vendor(VENDOR, experimental=True)
    assert b"<vendor><vendornumber>L-1</vendornumber>" in server.seen[0].body


def upload(client: RunMyAccountsClient, content: Any = PDF, name: str = "Beleg für März.pdf", **options: Any) -> Any:
    return client.upload_receipt(content, name, **options)


RECEIPT = (
    '{"id": "9", "comment": "Büro", "checksum": "%s", "date_received": "2026-01-05T10:00:00+01:00",'
    ' "file_name": "a.pdf"}'
)


@pytest.mark.parametrize("content", [PDF, io.BytesIO(PDF)], ids=["bytes", "file"])
def test_a_receipt_travels_as_a_form_with_name_type_and_comment(content: Any) -> None:
    server, client = serve(respond(200, (RECEIPT % zlib.crc32(PDF)).encode()))
    with server, client:
        receipt = upload(client, content, comment="Büro")
    assert (receipt.is_known, receipt.checksum, receipt.entity["id"]) == (False, zlib.crc32(PDF), "9")
    (seen,) = server.seen
    assert (seen.method, seen.target) == ("POST", "/api/latest/clients/demo/belege")
    head = f"Content-Type: {seen.headers['content-type']}\r\n\r\n".encode()
    parts: Any = message_from_bytes(head + seen.body).get_payload()
    assert [part.get_param("name", header="content-disposition") for part in parts] == ["Filedata", "comment"]
    assert parts[0].get_content_type() == "application/pdf"
    assert parts[0].get_payload(decode=True) == PDF
    assert parts[1].get_payload(decode=True).decode() == "Büro"
    assert "Beleg für März.pdf".encode() in seen.body


@pytest.mark.parametrize(
    "text",
    [
        str(zlib.crc32(PDF)),
        format(zlib.crc32(PDF), "x"),
        format(zlib.crc32(PDF), "010X"),
        hex(zlib.crc32(PDF)),
        str(zlib.crc32(PDF) - 2**32),
        "",
    ],
)
@pytest.mark.parametrize("body", [RECEIPT, "<upload><id>9</id><checksum>%s</checksum></upload>"])
def test_the_checksum_is_compared_in_every_way_to_write_it(text: str, body: str) -> None:
    form = "application/xml" if body.startswith("<") else "application/json"
    server, client = serve(respond(200, (body % text).encode(), form))
    with server, client:
        assert upload(client).entity["id"] == "9"


def test_another_checksum_is_a_case_for_a_person() -> None:
    server, client = serve(respond(200, (RECEIPT % 12345).encode()))
    with server, client:
        error = request_error(lambda: upload(client))
    assert type(error) is OutcomeUnknownError
    assert not error.retryable
    assert "checksum" in str(error)


@pytest.mark.parametrize("body", [b'{ "error": "Das Dokument ist bereits vorhanden." }', b""])
def test_a_receipt_that_is_there_already_is_no_error(body: bytes) -> None:
    server, client = serve(respond(409, body))
    with server, client:
        receipt = upload(client)
    assert (receipt.is_known, receipt.entity) == (True, None)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (respond(409, HTML, "text/html"), OutcomeUnknownError),
        (respond(413, b'{ "error": "zu gross" }'), RejectedError),
        (respond(415, b'{ "error": "Typ" }'), RejectedError),
        (respond(500), OutcomeUnknownError),
        (hang_up, OutcomeUnknownError),
        (respond(200, b"{}"), OutcomeUnknownError),
        (respond(200, b"<html-like><p>1</p></html-like>", "application/xml"), OutcomeUnknownError),
        (respond(200, b"OK", "text/plain"), OutcomeUnknownError),
    ],
)
def test_an_upload_is_sent_once(reply: Reply, error: type[RequestError]) -> None:
    server, client = serve(reply)
    with server, client:
        assert type(request_error(lambda: upload(client))) is error
    assert len(server.seen) == 1


@pytest.mark.parametrize("reply", [respond(204), respond(200, b"")])
def test_an_upload_may_be_answered_without_content(reply: Reply) -> None:
    server, client = serve(reply)
    with server, client:
        assert (upload(client).entity, upload(client).is_known) == (None, False)


@pytest.mark.parametrize(
    ("content", "name", "options", "words"),
    [
        (b"", "a.pdf", {}, "content: is empty"),
        (b"Hallo", "a.pdf", {}, "neither PDF, PNG, JPEG nor GIF"),
        (b"PK\x03\x04", "a.zip", {}, "neither PDF"),
        (PDF + bytes(MAX_RECEIPT), "a.pdf", {}, "25 MB"),
        (io.BytesIO(PDF + bytes(MAX_RECEIPT)), "a.pdf", {}, "25 MB"),
        (io.StringIO("%PDF-1.4"), "a.pdf", {}, "binary mode"),
        (PDF, "", {}, "file_name: is missing"),
        (PDF, "..", {}, "file_name: is missing"),
        (PDF, None, {}, "file_name: is missing"),
        (PDF, "ordner/a.pdf", {}, "file_name: has a folder"),
        (PDF, "ordner\\a.pdf", {}, "file_name: has a folder"),
        (PDF, 'a.pdf"\r\nX: y', {}, "control character"),
        (PDF, "\ud800.pdf", {}, "control character"),
        (PDF, "x" * 256, {}, "more than 255"),
        (PDF, "a.png", {}, "another type"),
        (PDF, "a.pdf", {"comment": "\x00"}, "receipt: comment"),
    ],
)
def test_what_cannot_be_uploaded_is_refused_before_anything_is_sent(
    content: Any, name: Any, options: Any, words: str
) -> None:
    server, client = serve(respond(204))
    with server, client, pytest.raises(InvalidInputError, match=words) as caught:
        upload(client, content, name, **options)
    assert all(problem.remedy for problem in caught.value.problems)
    assert server.seen == []


@pytest.mark.parametrize(
    ("content", "name", "media_type"),
    [
        (PDF, "a.PDF", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n", "a.png", "image/png"),
        (b"\xff\xd8\xff\xe0", "a.jpeg", "image/jpeg"),
        (b"\xff\xd8\xff\xdb", "a.JPG", "image/jpeg"),
        (b"GIF87a", "a.gif", "image/gif"),
        (b"GIF89a", "scan", "image/gif"),
        (PDF, "rechnung.v2", "application/pdf"),
        (PDF + bytes(MAX_RECEIPT - len(PDF)), "a.pdf", "application/pdf"),
    ],
)
def test_the_type_is_recognised_by_the_content(content: bytes, name: str, media_type: str) -> None:
    receipt = PreparedReceipt(content, name)
    assert receipt.media_type == media_type
    assert receipt.encode()[1].startswith("multipart/form-data; boundary=")


@pytest.mark.parametrize(
    "body",
    [
        b'{"row": [{"column": ["1000", "Kasse", "-12.3400"]}, {"column": ["1020", "Bank", "5"]}]}',
        b"<table><row><column>1000</column><column>Kasse</column><column>-12.3400</column></row>"
        b"<row><column>1020</column><column>Bank</column><column>5</column></row></table>",
    ],
)
def test_balances_of_the_first_version_have_the_fields_of_the_second(body: bytes) -> None:
    form = "xml" if body.startswith(b"<") else "json"
    server, client = serve(respond(200, body, f"application/{form}"))
    with server, client:
        rows = client.list_balances_v1(accno="1xxx", to_date=date(2026, 1, 31), exclude_yearend_bookings=True)
        assert client.unknown_fields == set()
    assert rows == [
        {"accountnumber": "1000", "accountname": "Kasse", "amount": Decimal("-12.34")},
        {"accountnumber": "1020", "accountname": "Bank", "amount": Decimal(5)},
    ]
    assert server.seen[0].target.endswith("/gl/saldo?accno=1xxx&to=2026-01-31&exclude_yearend_bookings=true")


@pytest.mark.parametrize("body", [b'{"row": [{"column": ["1000", "Kasse"]}]}', b'{"row": [{"column": "1000"}]}'])
def test_balances_without_their_three_columns_are_refused(body: bytes) -> None:
    server, client = serve(respond(200, body))
    with server, client, pytest.raises(UnexpectedResponseError, match="three columns"):
        client.list_balances_v1()
