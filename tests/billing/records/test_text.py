from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.billing.records.text import TextSource

SINGLE_BYTE = ("windows-1252", "iso-8859-1", "iso-8859-15", "mac_roman", "cp850", "cp437")
OTHERS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32-be", "gbk", "shift_jis", "cp037", "utf-7")


def read_lines(content: bytes, encoding: str) -> list[str]:
    source = TextSource(io.BufferedReader(io.BytesIO(content)), "a.csv", encoding)  # type: ignore[type-var]
    return list(source.iter_lines(1_000))


@pytest.mark.parametrize("encoding", SINGLE_BYTE)
@given(letters=st.lists(st.text(alphabet="äöüéèàçÄÖÜÉñß", max_size=3), max_size=8))
def test_words_with_accents_are_read_in_the_encoding_that_is_named(encoding: str, letters: list[str]) -> None:
    """Letters stand between letters of ASCII, as they do in words: no byte sequence of UTF-8 comes of that."""
    words = ["".join(f"{letter}n" for letter in word) + "\n" for word in letters]
    assert read_lines("".join(words).encode(encoding), encoding) == words


@pytest.mark.parametrize("encoding", [*SINGLE_BYTE, "utf-8", "utf-8-sig"])
@given(lines=st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\r\n\ufeff"), max_size=9)))
def test_utf_8_is_read_as_utf_8_whatever_single_byte_encoding_is_named(encoding: str, lines: list[str]) -> None:
    words = [f"{line}\n" for line in lines]
    assert read_lines("".join(words).encode(), encoding) == words


@pytest.mark.parametrize("encoding", OTHERS)
def test_other_encodings_are_read_as_named(encoding: str) -> None:
    assert read_lines("a\\n;b\nabc\n".encode(encoding), encoding) == ["a\\n;b\n", "abc\n"]
