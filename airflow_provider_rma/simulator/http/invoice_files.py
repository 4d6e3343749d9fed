"""An invoice as a document for people: a small real PDF, and a page of HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_rma.simulator.http.responses import WireFile
from airflow_provider_rma.simulator.http.wire import escape

#: Templates that every tenant has (documented examples); the first one is the default.
FORM_NAMES = ("invoice", "remittance_voucher", "packing_list", "pick_list")
_TITLES = dict(zip(FORM_NAMES, ("Rechnung", "Einzahlungsschein", "Lieferschein", "Rüstschein"), strict=True))

#: Lines of text that fit on the one page.
_MOST_LINES = 45


@dataclass(frozen=True)
class FilePage:
    """The content of a printed invoice.

    :param form: name of the template.
    :param invoice: as ``Books.document`` returns it.
    """

    form: str
    company: str
    invoice: Mapping[str, Any]
    customer: Mapping[str, Any]

    @property
    def title(self) -> str:
        """Kind of document and its number."""
        return f"{_TITLES[self.form]} {self.invoice['invnumber']}"

    def lines(self) -> Iterator[str]:
        """The text, line by line."""
        invoice, customer = self.invoice, self.customer
        yield self.company
        yield ""
        for name in ("name", "address1", "address2"):
            if customer.get(name):
                yield str(customer[name])
        yield f"{customer.get('zipcode') or ''} {customer.get('city') or ''}".strip()
        yield ""
        yield f"Datum {invoice['transdate']}    fällig {invoice.get('duedate') or ''}"
        for line in invoice.get("lines") or []:
            text = line.get("description") or line["partnumber"]
            yield f"{line.get('quantity')} x {text}    {line.get('sellprice')}"
        for entry in invoice.get("incomeentries") or []:
            yield f"{entry.get('description') or entry['income_accno']}    {entry['amount']}"
        if self.form in FORM_NAMES[:2]:
            yield f"Total {invoice['currency']} {invoice['fxamount']:.2f}"


def write_html(page: FilePage) -> WireFile:
    """Write the document as HTML."""
    title = escape(page.title)
    body = "".join(f"<p>{escape(line)}</p>" for line in page.lines())
    text = f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{title}</title></head><body><h1>{title}</h1>{body}'
    return WireFile(f"{text}</body></html>\n".encode(), "text/html")


def write_pdf(page: FilePage) -> WireFile:
    """Write the document as a PDF of one page (ISO 32000-1), in a font that every reader has."""
    rows = [page.title, "", *page.lines()][:_MOST_LINES]
    text = b"".join(b"(" + _encode(row) + b") Tj T*\n" for row in rows)
    content = b"BT /F1 11 Tf 56 780 Td 16 TL\n" + text + b"ET"
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    )
    body, places = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, value in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, value)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    tail = b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return WireFile(bytes(body) + tail % (size, table, size, len(body)), "application/pdf")


def _encode(text: str) -> bytes:
    plain = " ".join(text.split()).encode("cp1252", "replace")
    return plain.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
