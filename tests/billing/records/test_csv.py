from __future__ import annotations

import pytest

from airflow_provider_rma.billing.records.columns import CUSTOMER_COLUMNS
from airflow_provider_rma.exceptions import InvalidInputError
from tests.support.record_files import HEADER, RECORD, ROW, csv_bytes, read_bytes


def refusal(content: bytes, **options: object) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as caught:
        read_bytes("a.csv", content, **options)
    assert not caught.value.retryable
    return caught.value


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_the_delimiter_is_recognised_from_the_header_and_the_encoding_from_its_mark(
    delimiter: str, encoding: str
) -> None:
    content = csv_bytes(*(line.replace(";", delimiter) for line in (HEADER, ROW)), encoding=encoding)
    assert read_bytes("a.csv", content) == [RECORD]


def test_commas_in_values_do_not_decide_about_the_delimiter() -> None:
    header = "customernumber;name,;address1"
    assert "name" in str(refusal(csv_bytes(header, "1;2;3"), columns=CUSTOMER_COLUMNS))
    content = csv_bytes('"customernumber";"name"', '"K-1";"Meier, Huber, Frei"')
    assert read_bytes("a.csv", content, CUSTOMER_COLUMNS) == [{"customernumber": "K-1", "name": "Meier, Huber, Frei"}]


def test_a_named_encoding_is_used() -> None:
    content = csv_bytes("customernumber;name", "K-1;Café “Zürich” €", encoding="windows-1252")
    (record,) = read_bytes("a.csv", content, CUSTOMER_COLUMNS, encoding="windows-1252")
    assert record["name"] == "Café “Zürich” €"


@pytest.mark.parametrize("encoding", ["windows-1252", "iso-8859-1", "mac_roman", "cp850"])
def test_utf_8_is_read_as_utf_8_also_where_a_single_byte_encoding_is_named(encoding: str) -> None:
    """Else ``Zürich`` would be booked as ``ZÃ¼rich``."""
    content = csv_bytes("customernumber;name", "K-1;Zürich", "K-2;Ágnes", "K-3;Huber")
    records = read_bytes("a.csv", content, CUSTOMER_COLUMNS, encoding=encoding)
    assert [record["name"] for record in records] == ["Zürich", "Ágnes", "Huber"]


def test_bytes_that_are_no_text_are_refused_with_the_parameter_that_helps() -> None:
    content = csv_bytes("customernumber;name", "K-1;Zürich", encoding="windows-1252")
    assert "encoding='windows-1252'" in str(refusal(content, columns=CUSTOMER_COLUMNS))


def test_nul_characters_are_refused_with_the_parameter_that_helps() -> None:
    assert "encoding='utf-16-le'" in str(refusal(csv_bytes(HEADER, ROW, encoding="utf-16-le")))
    assert "line 3: holds NUL" in str(refusal(csv_bytes(HEADER, ROW, ROW.replace("K-1", "K\0-1"))))


@pytest.mark.parametrize(
    "lines",
    [
        ["sep=;", HEADER, ROW],
        ['"sep=;"', HEADER, ROW],
        ["", "  ", ";;;;;", HEADER, ROW],
        [HEADER, "", ROW, ";;;;", ";;;;;;;;", " ; ", ""],
        [HEADER.replace(";", " ; "), ROW],
    ],
)
def test_what_spreadsheets_add_is_skipped(lines: list[str]) -> None:
    assert read_bytes("a.csv", csv_bytes(*lines)) == [RECORD]


def test_old_line_ends_and_a_missing_last_one_are_read() -> None:
    assert read_bytes("a.csv", f"{HEADER}\r{ROW}\r".encode()) == [RECORD]
    assert read_bytes("a.csv", f"{HEADER}\n{ROW}".encode()) == [RECORD]


def test_line_breaks_and_quotation_marks_inside_quotation_marks_are_kept() -> None:
    content = csv_bytes("customernumber;name;notes", 'K-1;"Hotel ""Krone""";"first;\r\nsecond"')
    (record,) = read_bytes("a.csv", content, CUSTOMER_COLUMNS)
    assert (record["name"], record["notes"]) == ('Hotel "Krone"', "first;\r\nsecond")


def test_an_empty_value_means_not_given() -> None:
    (record,) = read_bytes("a.csv", csv_bytes("customernumber;name;email", 'K-1;"Muster";""'), CUSTOMER_COLUMNS)
    assert record["email"] is None


@pytest.mark.parametrize(
    ("header", "named"),
    [
        (HEADER + ";invnumber", "invnumber: is the name of two columns"),
        (HEADER + "; parts__sellprice ", "parts__sellprice: is the name of two columns"),
        ("\ufeff" + HEADER + ";invnumber", "invnumber: is the name of two columns"),
        (HEADER + ";Invnumber", "Invnumber: is not a field of an invoice; did you mean 'invnumber'?"),
        (HEADER + ";", "column 7: has no name; name it or remove it (pandas: index=False)"),
        (";" + HEADER, "column 1: has no name"),
        ("__index_level_0__;" + HEADER, "__index_level_0__: is the index of a data frame; write it with index=False"),
        ("Unnamed: 0;" + HEADER, "Unnamed: 0: is the index of a data frame"),
        (HEADER.replace("transdate", "date"), "transdate: is missing"),
        (HEADER.replace("parts__quantity", "parts__qty"), "parts__qty: is not a field"),
        (HEADER.replace("customernumber", "description"), "customernumber or customer: is missing"),
        ("invnumber;customernumber;transdate", "parts or incomeentries: is missing"),
        (HEADER + ";parts", "parts: is there both as a whole and in columns of its own"),
        ("Rechnungen Oktober 2026;;;;;", "none of its 6 columns is named as a field of RMA"),
        (ROW, "none of its 6 columns is named as a field of RMA; the first line must hold"),
        ("{}", "none of its 1 columns"),
    ],
)
def test_a_wrong_header_is_one_error_however_many_rows_follow(header: str, named: str) -> None:
    error = refusal(csv_bytes(header, *[ROW + ";x"] * 1_000))
    assert named in str(error)
    assert len(error.problems) <= 3


def test_a_header_is_judged_without_rows_too() -> None:
    assert read_bytes("a.csv", csv_bytes(HEADER)) == []
    assert "is missing" in str(refusal(csv_bytes("invnumber;transdate")))


def test_hundreds_of_wrong_columns_are_counted_not_listed() -> None:
    error = refusal(csv_bytes(HEADER + "".join(f";x{number}" for number in range(500))))
    assert len(error.problems) == 11
    assert "490 more problems" in str(error)


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\r\n\r\n", b";;;;\r\n", b"sep=;\r\n", b" \t "])
def test_a_file_without_a_header_is_refused(content: bytes) -> None:
    assert "is empty, not even a header is there" in str(refusal(content))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (ROW + ";", "line 3: has 7 columns, the header has 6"),
        ("R-2;K-1", "line 3: has 2 columns, the header has 6"),
        (ROW.replace("K-1", '"K-1'), "quotation mark|is not CSV"),
        (ROW.replace("K-1", '"K"-1'), "line 3: is not CSV"),
        (ROW.replace("K-1", "K" * 131_073), r"line 3: has a value of more than 131'072 characters"),
        ("x" * 2_000_000, "line 3: has more than 1'048'576 characters"),
    ],
)
def test_a_line_that_is_no_row_is_refused_with_its_number(line: str, problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        read_bytes("a.csv", csv_bytes(HEADER, ROW, line, *[ROW] * 5))


def test_a_quotation_mark_that_is_never_closed_does_not_swallow_the_file() -> None:
    rows = [f"R-{number};K-1;2026-10-31;ART-1;2;19.95" for number in range(100_000)]
    error = refusal(csv_bytes(HEADER, ROW.replace("K-1", '"K-1'), *rows))
    assert "a quotation mark that is never closed" in str(error)


def test_another_separator_than_the_known_ones_is_refused() -> None:
    assert "another separator" in str(refusal(csv_bytes("sep=|", HEADER.replace(";", "|"))))
