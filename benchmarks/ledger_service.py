"""A service to read a ledger from, in a process of its own: it sends files that were prepared before, and does no more.

One month, March 2026, whose balances fit its postings. Prints its address and serves until its standard input ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

MONTH = "2026-03"
#: The file with other postings of the same sums; it is served once it has taken the place of ``transactions.xml``.
AMENDED = "amended.xml"
#: Digits whose balances the service states positive when debited.
_DEBIT = "16"


def prepare(folder: Path, count: int) -> int:
    """Write all answers of one tenant.

    :param count: postings wanted; vouchers have three each, so one or two more are written.
    :returns: how many there are.
    """
    from airflow_provider_rma.client.codecs.bodies import encode
    from benchmarks.ledger_decode import postings

    count += -count % 3
    movements: dict[str, Decimal] = {}
    with (folder / "transactions.xml").open("wb") as file:
        file.write(b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n')
        file.write(b'<transactions number_of_transaction="%d">' % count)
        for posting in postings(count):
            file.write(encode(posting, "xml", "transaction").partition(b"\n")[2])
            movements[posting["accno"]] = movements.get(posting["accno"], Decimal(0)) + Decimal(posting["amount"])
        file.write(b"</transactions>")
    charts = [
        {"@id": str(index), "@accno": accno, "@description": f"Konto {accno}", "@link": "", "@allow_gl": "true",
         "@is_active": "true", "taxes": ""}
        for index, accno in enumerate(sorted(movements), 1)
    ]  # fmt: skip
    _amend(folder / "transactions.xml", folder / AMENDED)
    (folder / "charts.xml").write_bytes(encode({"chart": charts}, "xml", "charts"))
    stated = {accno: -amount if accno[0] in _DEBIT else amount for accno, amount in sorted(movements.items())}
    for name, moved in (("before", False), ("moved", True)):
        rows = [
            {"accountnumber": accno, "accountname": f"Konto {accno}", "amount": f"{moved * amount:.4f}"}
            for accno, amount in stated.items()
        ]
        (folder / f"{name}.xml").write_bytes(encode({"row": rows}, "xml", "table"))
    return count


def _amend(source: Path, target: Path) -> None:
    """The same postings, but every hundredth voucher has another text in its lines."""
    with source.open("rb") as file, target.open("wb") as amended:
        rest = b""
        while piece := file.read(1 << 24):
            *postings, rest = (rest + piece).split(b"<transaction>")
            for posting in postings:
                changed = posting.partition(b"</id>")[0].endswith(b"00")
                amended.write(posting.replace(b"<memo>", b"<memo>Korrektur: ") if changed else posting)
                amended.write(b"<transaction>")
        amended.write(rest)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    #: Headers and body leave apart; together with late acknowledgements that would cost 40 ms an answer.
    disable_nagle_algorithm = True
    folder: Path

    def do_GET(self) -> None:
        # /api/latest/clients/<tenant>/…
        url = urlsplit(self.path)
        tenant, _, resource = url.path.removeprefix("/api/latest/clients/").partition("/")
        with (self.folder / tenant / self._file(resource, url.query)).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            self.send_response(200)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(size))
            self.end_headers()
            self.wfile.flush()
            sent = 0
            while sent < size:
                sent += os.sendfile(self.connection.fileno(), file.fileno(), sent, size - sent)

    def _file(self, resource: str, query: str) -> str:
        if resource == "gl/v2/saldo":
            last = parse_qs(query)["to"][0]
            return "moved.xml" if last.startswith(MONTH) else "before.xml"
        return "transactions.xml" if resource.endswith("/transactions") else "charts.xml"

    def log_message(self, *args: object) -> None:
        """No log."""


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """Address of a running service.

    :param folder: a folder for each tenant.
    """
    command = [sys.executable, "-m", "benchmarks.ledger_service", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()


if __name__ == "__main__":
    _Handler.folder = Path(sys.argv[1])
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        sys.stdin.read()
        server.shutdown()
