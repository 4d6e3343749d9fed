"""Payments, the payment list and invoices as files, against a server that does what it is told."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.endpoint import MAX_DOCUMENT
from airflow_provider_rma.exceptions import (
    AuthenticationError,
    ConnectionNotMadeError,
    IncompleteResponseError,
    InvalidInputError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
    RequestError,
    UnexpectedResponseError,
    WritesNotAllowedError,
)
from airflow_provider_rma.schemas.payment import PayablePaymentSchema, PaymentSchema
from tests.support.http_client import HTML, make_client, request_error, serve
from tests.support.scripted_server import Reply, ScriptedServer, hang_up, respond, silent

pytestmark = pytest.mark.usefixtures("no_secret_leaves")

PAYMENT = PaymentSchema().from_user(
    {"datepaid": "2026-01-05T10:39:17.945+01:00", "amount_paid": "635.05", "payment_accno": "1030", "memo": "TX-7"}
)
POSTED = {
    "json": b'{"id": "31", "invnumber": "R-1", "datepaid": "2026-01-05T00:00:00+01:00", "amount_paid": "635.05",'
    b' "payment_accno": "1030", "source": "", "memo": "TX-7", "currency": "CHF", "exchangerate": "1.0", "flag": "NEW"}',
    "xml": b"<payment><id>31</id><invnumber>R-1</invnumber><datepaid>2026-01-05T00:00:00+01:00</datepaid>"
    b"<amount_paid>635.05</amount_paid><payment_accno>1030</payment_accno><memo>TX-7</memo><flag>NEW</flag></payment>",
}
PDF = b"%PDF-1.4\n1 0 obj << >> endobj\ntrailer << >>\nstartxref\n9\n%%EOF\n"


@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_payment_is_sent_as_documented_and_the_posted_one_is_returned(form: Any) -> None:
    server, client = serve(respond(200, POSTED[form], f"application/{form}"), content_type=form)
    with server, client:
        payment = client.create_invoice_payment("R/1", PAYMENT)
    assert payment is not None
    assert (payment["id"], payment["amount_paid"], payment["flag"]) == (31, Decimal("635.05"), "NEW")
    assert payment["datepaid"] == date(2026, 1, 5)
    (seen,) = server.seen
    assert (seen.method, seen.target) == ("POST", "/api/latest/clients/demo/invoices/R%2F1/payments")
    assert (seen.headers["content-type"], seen.headers["accept"]) == (f"application/{form}", f"application/{form}")
    assert b"635.05" in seen.body
    assert b"2026-01-05T00:00:00+01:00" in seen.body


@pytest.mark.parametrize("reply", [respond(204), respond(200, b""), respond(200, b" \n")])
def test_a_success_without_content_is_a_payment_that_the_service_does_not_state(reply: Reply) -> None:
    server, client = serve(reply)
    with server, client:
        assert client.create_invoice_payment("R-1", PAYMENT) is None
        assert client.create_payable_payment("L-1", PAYMENT) is None


@pytest.mark.parametrize(
    ("reply", "error", "is_final"),
    [
        (respond(400, b'{ "error": "Das Konto fehlt." }'), RejectedError, True),
        (respond(404, b"<error>Rechnung fehlt</error>", "application/xml"), RejectedError, True),
        (respond(200, b'{ "error": "Das Konto fehlt." }'), RejectedError, False),
        (respond(400), RejectedError, False),
        (respond(401, b'{ "error": "nein" }'), AuthenticationError, True),
        (respond(400, HTML, "text/html"), OutcomeUnknownError, None),
        (respond(200, HTML, "text/html"), OutcomeUnknownError, None),
        (respond(200, b"booked", "text/plain"), OutcomeUnknownError, None),
        (respond(200, b'{"amount_paid": "much"}'), OutcomeUnknownError, None),
        (respond(200, b"<invoice/>", "application/xml"), OutcomeUnknownError, None),
        (respond(200, b'{"message": "ok"}'), OutcomeUnknownError, None),
        (respond(200, b'{"error": "nein", "id": "7x"}'), OutcomeUnknownError, None),
        (respond(200, POSTED["json"][:-9], Content_Length="5000"), OutcomeUnknownError, None),
        (respond(200, POSTED["json"][:-9]), OutcomeUnknownError, None),
        (respond(202, b"{}"), OutcomeUnknownError, None),
        (respond(302, b"", Location="/login"), OutcomeUnknownError, None),
        (respond(429, b'{ "error": "langsam" }'), OutcomeUnknownError, None),
        (respond(500, b'{ "error": "Interner Fehler" }'), OutcomeUnknownError, None),
        (hang_up, OutcomeUnknownError, None),
    ],
)
@pytest.mark.parametrize("method", ["create_invoice_payment", "create_payable_payment"])
def test_a_payment_is_sent_once_and_its_response_means_what_it_means_for_an_invoice(
    reply: Reply, error: type[RequestError], is_final: bool | None, method: str
) -> None:
    server, client = serve(reply)
    with server, client:
        caught = request_error(lambda: getattr(client, method)("R-1", PAYMENT))
    assert type(caught) is error
    assert getattr(caught, "is_final", None) is is_final
    assert len(server.seen) == 1


def test_the_deadline_of_a_write_ends_a_payment() -> None:
    server, client = serve(silent, total_deadline=0.3)
    with server, client:
        assert isinstance(request_error(lambda: client.create_invoice_payment("R-1", PAYMENT)), OutcomeUnknownError)
    assert len(server.seen) == 1


def test_a_payment_that_names_another_invoice_is_not_sent() -> None:
    server, client = serve(respond(200, POSTED["json"]))
    with server, client:
        with pytest.raises(InvalidInputError, match="payment: invnumber: names another invoice"):
            client.create_invoice_payment("R-1", PAYMENT | {"invnumber": "R-2"})
        assert client.create_invoice_payment("R-1", PAYMENT | {"invnumber": "r-1"}) is not None
    assert len(server.seen) == 1


def test_no_write_leaves_a_read_only_connection() -> None:
    server, client = serve(respond(204), allow_writes=False)
    with server, client:
        for write in (
            lambda: client.create_invoice_payment("R-1", PAYMENT),
            lambda: client.create_payable_payment("R-1", PAYMENT),
            lambda: client.set_as_processed([1]),
            lambda: client.save_vendor({}, experimental=True),
            lambda: client.create_payable({}, experimental=True),
            lambda: client.upload_receipt(PDF, "a.pdf"),
        ):
            with pytest.raises(WritesNotAllowedError):
                write()
    assert server.seen == []


def test_a_service_that_is_not_there_has_received_nothing() -> None:
    server, client = serve(respond(204))
    with server:
        pass
    with client:
        assert isinstance(request_error(lambda: client.create_invoice_payment("R-1", PAYMENT)), ConnectionNotMadeError)


@pytest.mark.parametrize(
    "body",
    [
        b'{"payment": [{"datepaid": "2011-10-24T10:40:24.826+02:00", "amount_paid": "570.0", "source": "",'
        b' "memo": "Anzahlung", "payment_accno": "1020", "exchangerate": "1.0"}]}',
        b'{"payment": {"datepaid": "2011-10-24T10:40:24.826+02:00", "amount_paid": 570.0, "payment_accno": "1020"}}',
        b"<payments><payment><datepaid>2011-10-24T10:40:24.826+02:00</datepaid><amount_paid>570.0</amount_paid>"
        b"<payment_accno>1020</payment_accno></payment></payments>",
    ],
)
def test_the_payment_list_is_asked_for_with_a_minute_and_read_as_documented(body: bytes) -> None:
    form = "application/xml" if body.startswith(b"<") else "application/json"
    server, client = serve(respond(200, body, form))
    with server, client:
        (payment,) = client.list_payments(processed=datetime(2011, 10, 1, 22, 5, tzinfo=UTC))
        with pytest.raises(InvalidInputError, match="processed"):
            client.list_payments(processed=date(2011, 10, 1))  # type: ignore[arg-type]
    assert payment["datepaid"] == date(2011, 10, 24)
    assert payment["amount_paid"] == Decimal(570)
    assert [seen.target.partition("/demo")[2] for seen in server.seen] == [
        "/invoices/payment_list?processed=2011-10-02T00%3A05"
    ]


@pytest.mark.parametrize("body", [b"null", b"{}", b'{"payment": null}', b'{"payment": ""}'])
def test_an_empty_payment_list_has_every_known_form(body: bytes) -> None:
    server, client = serve(respond(200, body))
    with server, client:
        assert client.list_payments(processed=datetime(2026, 1, 1)) == []


@pytest.mark.parametrize("reply", [respond(204), respond(200, b""), respond(200, b'{"message": "ok"}')])
def test_ids_are_marked_as_processed_with_a_form(reply: Reply) -> None:
    server, client = serve(reply)
    with server, client:
        client.set_as_processed(iter([31, 32, 31]))
        client.set_as_processed([])
    (seen,) = server.seen
    assert (seen.method, seen.target) == ("POST", "/api/latest/clients/demo/invoices/set_as_processed")
    assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
    assert seen.body == b"id=31&id=32"


@pytest.mark.parametrize("ids", [[0], [-1], ["31"], [True], [1.0], [None], "31"])
def test_what_is_no_id_is_not_marked(ids: Any) -> None:
    server, client = serve(respond(204))
    with server, client, pytest.raises(InvalidInputError, match="ids"):
        client.set_as_processed(ids)
    assert server.seen == []


def test_a_pdf_is_read_as_it_is() -> None:
    server, client = serve(respond(200, PDF, "application/pdf"))
    with server, client, client.open_invoice_pdf("R 1", formname="packing_list", language_code="fr") as document:
        assert (document.media_type, document.size) == ("application/pdf", len(PDF))
        assert document.read() == b"".join(document.chunks()) == PDF
        with document.reader() as file:
            assert file.read() == PDF
    (seen,) = server.seen
    assert seen.target == "/api/latest/clients/demo/invoices/R%201/pdf?formname=packing_list&language_code=fr"
    assert seen.headers["accept"] == "application/pdf"


def test_html_is_read_as_it_is() -> None:
    page = "<!DOCTYPE html><html><body>Rechnung R-1 über 10.00</body></html>".encode()
    server, client = serve(respond(200, page, "text/html; charset=UTF-8"))
    with server, client, client.open_invoice_html("R-1") as document:
        assert (document.media_type, document.read()) == ("text/html", page)
    assert server.seen[0].target == "/api/latest/clients/demo/invoices/R-1/html"
    assert server.seen[0].headers["accept"] == "text/html"


def open_pdf(client: RunMyAccountsClient) -> None:
    client.open_invoice_pdf("R-1").close()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (respond(200, PDF, "application/octet-stream"), UnexpectedResponseError),
        (respond(200, PDF, "application/pdf2"), UnexpectedResponseError),
        (respond(200, PDF, "text/html"), UnexpectedResponseError),
        (respond(200, HTML, "application/pdf"), UnexpectedResponseError),
        (respond(200, HTML, "text/html"), UnexpectedResponseError),
        (respond(200, b"", "application/pdf"), UnexpectedResponseError),
        (respond(204), UnexpectedResponseError),
        (respond(200, b"PDF", "application/pdf"), UnexpectedResponseError),
        (respond(200, PDF[:-8], "application/pdf"), IncompleteResponseError),
        (respond(200, PDF[:-8], "application/pdf", Content_Length=str(len(PDF))), IncompleteResponseError),
        (respond(206, PDF, "application/pdf"), IncompleteResponseError),
        (respond(404, b'{ "error": "fehlt" }'), NotFoundError),
        (respond(400, b'{ "error": "Vorlage fehlt" }'), RejectedError),
        (respond(200, b'{ "error": "Vorlage fehlt" }'), RejectedError),
        (respond(403, b'{ "error": "nein" }'), AuthenticationError),
    ],
)
def test_what_is_no_whole_pdf_is_never_handed_out(reply: Reply, error: type[RequestError]) -> None:
    server, client = serve(reply)
    with server, client:
        assert type(request_error(lambda: open_pdf(client))) is error


def test_a_pdf_that_was_cut_is_asked_for_again() -> None:
    replies = [respond(200, PDF[:-8], "application/pdf"), respond(200, PDF, "application/pdf")]
    with ScriptedServer(replies) as server, make_client(server) as client:
        open_pdf(client)
    assert len(server.seen) == 2


def test_a_page_in_place_of_other_data_stays_a_page() -> None:
    server, client = serve(respond(200, HTML, "text/html"))
    with server, client:
        assert type(request_error(lambda: client.get_invoice("R-1"))) is UnexpectedResponseError


def test_a_document_beyond_the_bound_is_refused() -> None:
    server, client = serve(respond(200, PDF + bytes(MAX_DOCUMENT), "application/pdf"))
    with server, client:
        error = request_error(lambda: open_pdf(client))
    assert "longer than" in str(error)
    assert "shorter period" not in str(error)
    assert len(server.seen) == 1


def test_a_payment_of_a_vendor_invoice_has_no_number_on_the_wire() -> None:
    payment = PayablePaymentSchema().from_user({"datepaid": "2026-01-05", "amount_paid": 1, "payment_accno": "1020"})
    server, client = serve(respond(200, b'{"id": "7", "amount_paid": "1.0"}'))
    with server, client:
        posted = client.create_payable_payment("L-1", payment)
    assert posted is not None
    assert posted["id"] == 7
    assert server.seen[0].target == "/api/latest/clients/demo/payables/L-1/payments"
    assert b"invnumber" not in server.seen[0].body
