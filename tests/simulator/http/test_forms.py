"""Forms are read as they were written, whatever bytes a file holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.filepost import encode_multipart_formdata

from airflow_provider_rma.simulator.books.uploads import Upload
from airflow_provider_rma.simulator.http.forms import read_form, read_upload
from airflow_provider_rma.simulator.http.responses import ResponseError

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


@given(content=st.binary() | st.sampled_from([b"\r\n", b"\r\n--", b"--x--\r\n", b"\n\r\r\n"]), comment=TEXTS)
def test_a_file_arrives_as_it_is(content: bytes, comment: str) -> None:
    fields = {"comment": comment, "Filedata": ("Beleg.pdf", content, "application/pdf")}
    body, content_type = encode_multipart_formdata(fields)
    assert read_upload(body, content_type) == Upload("Beleg.pdf", "application/pdf", content, comment)


def test_the_ways_in_which_clients_write_a_form() -> None:
    body = (
        b"--b\r\nContent-Disposition: form-data; name=Filedata; filename=a.pdf\r\n\r\nx\r\n"
        b'--b\r\ncontent-disposition: form-data; name="other"\r\n\r\ny\r\n--b--\r\n'
    )
    expected = Upload("a.pdf", "application/octet-stream", b"x", "")
    assert read_upload(body, "multipart/form-data; boundary=b") == expected
    assert read_upload(body, 'multipart/form-data; charset=utf-8; boundary="b"') == expected


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/form-data; boundary=b"),
        (b"--b--\r\n", "multipart/form-data; boundary=b"),
        (b"--b\r\nContent-Disposition: form-data; name=Filedata\r\n\r\nx", "multipart/form-data; boundary=b"),
        (b"--b\r\nx\r\n--b--", "multipart/form-data; boundary=b"),
        (b"--b--", "multipart/form-data"),
        (b"--b--", "multipart/form-data; boundary="),
    ],
)
def test_a_form_that_is_broken_or_has_no_file_is_refused(body: bytes, content_type: str) -> None:
    with pytest.raises(ResponseError) as caught:
        read_upload(body, content_type)
    assert caught.value.status == 400


def test_fields_of_a_form() -> None:
    assert read_form(b"id=1&id=2&x=%C3%BC+y&z=") == [("id", "1"), ("id", "2"), ("x", "ü y"), ("z", "")]
    assert read_form(b"") == []
    for body in (b"id", b"\xff=1", b"id=%FF"):
        with pytest.raises(ResponseError):
            read_form(body)
