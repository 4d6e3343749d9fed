"""How fast an answer with postings becomes Arrow batches, and what each check costs.

Every sample is a process of its own, and the cases take turns, so that whatever else the machine does hits all of them.
Peak memory is that of the process above the interpreter with the package imported. Run it with::

    python -m benchmarks.ledger_decode --postings 100000 1000000 --samples 5
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

_ACCOUNTS = ("1000", "1020", "1100", "2200", "3200", "6500")


def postings(count: int) -> Iterator[dict[str, Any]]:
    """Invented postings of one month in the mapped form, three to a voucher, as long as real ones."""
    made, open_cents = random.Random(1), 0
    for index in range(count):
        voucher = 1000 + index // 3
        # The third line of a voucher balances the two before it.
        cents = made.randrange(-(10**7), 10**7) if index % 3 < 2 else -open_cents
        open_cents = cents if index % 3 == 0 else open_cents + cents
        accno = made.choice(_ACCOUNTS)
        yield {
            "id": str(voucher),
            "chart": {
                "@id": "0",
                "@accno": accno,
                "@link": "",
                "@allow_gl": "false",
                "@is_active": "true",
                "taxes": "",
            },
            "transdate": f"2026-03-{1 + index * 28 // count:02}T00:00:00+01:00",
            "reference": f"R-{voucher}",
            "description": f"Rechnung {voucher} für Muster & Söhne",
            "amount": str(cents / 100),
            "module": "ar",
            "source": "",
            "entry_id": str(index),
            "memo": f"Zeile {index}: Lieferung nach Plan",
            "notes": "" if index % 5 else None,
            "intnotes": "",
            "department": {"@id": "10319", "@name": "Werkstatt", "@role": "P"} if index % 2 else None,
            "accno": accno,
        }


def _write(path: Path, count: int) -> None:
    from airflow_provider_rma.client.codecs.bodies import encode

    is_xml = path.suffix == ".xml"
    with path.open("wb") as file:
        if is_xml:
            file.write(b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n')
            file.write(b'<transactions number_of_transaction="%d">' % count)
        else:
            file.write(b'{"@number_of_transaction":"%d","transaction":[' % count)
        for index, posting in enumerate(postings(count)):
            if is_xml:
                file.write(encode(posting, "xml", "transaction").partition(b"\n")[2])
            else:
                file.write((b"," if index else b"") + encode(posting, "json", "transaction"))
        file.write(b"</transactions>" if is_xml else b"]}")


# ---------------------------------------------------------------------- cases


def _source(path: Path) -> Any:
    from airflow_provider_rma.client import endpoints
    from airflow_provider_rma.client.responses import Response
    from airflow_provider_rma.client.stream import RawResponse

    endpoint = endpoints.LIST_TRANSACTIONS
    file = path.open("rb")
    file.seek(0, os.SEEK_END)
    answer = Response(200, f"application/{path.suffix[1:]}", file)
    request = endpoint.request("xml", segments={"accno": "x"})
    return RawResponse(endpoint, request, answer, "xml", endpoint.schema.from_wire)


def _batches() -> Any:
    from airflow_provider_rma.ledger.postings.batches import PostingBatches
    from airflow_provider_rma.ledger.windows import MonthLoad, Window

    return PostingBatches(MonthLoad("demo", Window.of(date(2026, 3, 1)), "load"), dict.fromkeys(_ACCOUNTS, "Konto"))


def _read(path: Path) -> int:
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass
    return 0


def _texts(path: Path) -> Iterator[Any]:
    from airflow_provider_rma.ledger.postings.decode import xml_path

    decoder = xml_path.xml_decoder()
    yield from xml_path.decode_texts(decoder, path)


def _decoder_only(path: Path) -> int:
    return sum(texts.num_rows for texts in _texts(path))


def _decoder_and_checks(path: Path) -> int:
    from airflow_provider_rma.ledger.postings.decode.columns import PostingColumns

    columns = PostingColumns(_batches())
    return sum(columns.convert(texts).num_rows for texts in _texts(path))


def _recogniser_only(path: Path) -> int:
    from airflow_provider_rma.ledger.postings.decode.xml_recogniser import Recogniser

    with Recogniser(_source(path).reader()) as recogniser:
        return recogniser.wait_for_end()


def _decoder_and_recogniser(path: Path) -> int:
    from airflow_provider_rma.ledger.postings.decode.xml_recogniser import Recogniser

    count = 0
    with Recogniser(_source(path).reader()) as recogniser:
        for texts in _texts(path):
            count += texts.num_rows
            recogniser.wait_for(count)
        assert recogniser.wait_for_end() == count
    return count


def _tree_free_parser(path: Path) -> int:
    from lxml import etree

    class Nothing:
        def close(self) -> None:
            pass

    parser = etree.XMLParser(target=Nothing(), huge_tree=False)
    with path.open("rb") as file:
        while piece := file.read(1 << 16):
            parser.feed(piece)
    parser.close()
    return 0


def _fast(path: Path) -> int:
    return _everything(path, strict=False)


def _strict(path: Path) -> int:
    return _everything(path, strict=True)


def _everything(path: Path, *, strict: bool) -> int:
    from airflow_provider_rma.ledger.postings.decode.reader import PostingReader

    reader = PostingReader(_source(path), _batches(), strict=strict)
    count = sum(batch.num_rows for batch in reader)
    assert not reader.refusal, reader.refusal
    return count


def _fast_and_sums(path: Path) -> int:
    from airflow_provider_rma.ledger.fingerprint import Fingerprinter
    from airflow_provider_rma.ledger.postings.decode.reader import PostingReader
    from airflow_provider_rma.ledger.postings.stream import _RunningSums

    reader, sums, prints = PostingReader(_source(path), _batches()), _RunningSums(), Fingerprinter()
    for batch in reader:
        sums.add(batch)
        prints.add(batch)
    return reader.count


Case = tuple[str, str, Callable[[Path], int], int]

#: Name, format, function, most postings it is run with.
CASES: dict[str, Case] = {
    "read": ("the file is read", "xml", _read, 10**9),
    "limit": ("the decoder alone, nothing checked: the limit", "xml", _decoder_only, 10**9),
    "columns": ("+ columns checked and typed", "xml", _decoder_and_checks, 10**9),
    "eye": ("+ second eye", "xml", _decoder_and_recogniser, 10**9),
    "fast": ("+ both: what a batch of postings costs", "xml", _fast, 10**9),
    "sums": ("+ sums of vouchers and fingerprints, for the proof", "xml", _fast_and_sums, 10**9),
    "eye alone": ("second eye alone", "xml", _recogniser_only, 10**9),
    "lxml": ("a parser without a tree, for comparison (lxml, no handlers)", "xml", _tree_free_parser, 10**9),
    "strict": ("the strict way (lxml, marshmallow)", "xml", _strict, 100_000),
    "json fast": ("JSON, the fast way, everything checked", "json", _fast, 10**9),
    "json strict": ("JSON, the strict way", "json", _strict, 100_000),
}


def _sample(case: str, path: Path) -> dict[str, float]:
    """One run in this process: seconds by the clock and of all cores, and peak memory above the imports in MB."""
    import msgspec  # noqa: F401
    import pyarrow.compute
    import xml2arrow  # noqa: F401

    import airflow_provider_rma.ledger.postings.decode.columns
    import airflow_provider_rma.ledger.postings.decode.json_path
    import airflow_provider_rma.ledger.postings.decode.xml_path
    import airflow_provider_rma.ledger.postings.stream  # noqa: F401

    pyarrow.compute.sum(pyarrow.array([1]))
    before = _peak()
    begin, used = time.perf_counter(), time.process_time()
    CASES[case][2](path)
    seconds, used = time.perf_counter() - begin, time.process_time() - used
    return {"seconds": seconds, "used": used, "megabytes": _peak() - before}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _measure(counts: list[int], samples: int, folder: Path) -> Iterator[str]:
    for count in counts:
        for suffix in ("xml", "json"):
            _write(folder / f"{count}.{suffix}", count)
        cases = [name for name, case in CASES.items() if count <= case[3]]
        results: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
        for _ in range(samples):
            for name in cases:
                path = folder / f"{count}.{CASES[name][1]}"
                command = [sys.executable, "-m", "benchmarks.ledger_decode", "--sample", name, str(path)]
                results[name].append(json.loads(subprocess.check_output(command)))
        yield from _table(count, results)
        for suffix in ("xml", "json"):
            (folder / f"{count}.{suffix}").unlink()


def _table(count: int, results: dict[str, list[dict[str, float]]]) -> Iterator[str]:
    limit = _median(results["limit"], "seconds")
    yield f"\n{count:,} postings, medians of {len(results['limit'])}:\n"
    yield "| step | seconds | postings/s | of the limit's time | seconds of all cores | peak MB above the imports |"
    yield "|---|---|---|---|---|---|"
    for name, samples in results.items():
        seconds, used = _median(samples, "seconds"), _median(samples, "used")
        megabytes = max(sample["megabytes"] for sample in samples)
        yield (
            f"| {CASES[name][0]} | {seconds:.3f} | {count / seconds:,.0f} | {seconds / limit:.2f} | {used:.3f} "
            f"| {megabytes:.0f} |"
        )


def _median(samples: list[dict[str, float]], what: str) -> float:
    return statistics.median(sample[what] for sample in samples)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--postings", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--sample", nargs=2, metavar=("CASE", "FILE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.sample:
        print(json.dumps(_sample(chosen.sample[0], Path(chosen.sample[1]))))
        return
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("pyarrow", "xml2arrow", "lxml", "msgspec", "marshmallow")
    )
    print(f"Python {platform.python_version()}, {packages}; {os.cpu_count()} cores, {platform.machine()}.")
    with tempfile.TemporaryDirectory() as folder:
        for line in _measure(chosen.postings, chosen.samples, Path(folder)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
