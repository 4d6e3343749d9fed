"""Lines of text files in any encoding, in bounded memory."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from airflow_provider_rma.billing.records.errors import unreadable_error
from airflow_provider_rma.formatting import format_count

#: Byte order marks say more than a parameter: no text begins with them by chance.
_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)

#: With an escape in it, which some codecs unpack.
_ASCII = bytes(range(128)) + b"\\n"
_NOT_ASCII = bytes(range(128, 256))


class TextSource:
    """The text of a file.

    Text that is valid UTF-8 is read as UTF-8, also where a single-byte encoding is named: nothing that people write in
    such an encoding is valid UTF-8 by chance. So a rejects file can be given back with the parameters of the source.

    :param stream: its bytes.
    :param where: the file, for messages.
    :param encoding: encoding of a file without a byte order mark; UTF-8 by default.
    """

    def __init__(self, stream: io.BufferedReader[Any], where: str, encoding: str | None = None) -> None:
        begin = stream.peek(4)
        marked = next((name for mark, name in _BYTE_ORDER_MARKS if begin.startswith(mark)), None)
        self.where = where
        self.line = 0
        self._encoding = marked or encoding or "utf-8"
        self._tries_utf_8 = _is_single_byte(self._encoding)
        reading, errors = ("utf-8", "surrogateescape") if self._tries_utf_8 else (self._encoding, "strict")
        self._text = io.TextIOWrapper(stream, encoding=reading, errors=errors, newline="")

    def read(self, size: int) -> str:
        """Read up to so many characters; an empty text is the end."""
        try:
            text = self._decode(self._text.read(size))
        except UnicodeError as error:
            raise self._encoding_error("") from error
        return self._check(text)

    def iter_lines(self, limit: int) -> Iterator[str]:
        """Read line by line, with their ends, counting them in ``line``.

        :param limit: most characters of a line.
        """
        while True:
            try:
                text = self._decode(self._text.readline(limit))
            except UnicodeError as error:
                raise self._encoding_error(f" near line {self.line + 1}") from error
            if not text:
                return
            self.line += 1
            if len(text) >= limit and text[-1] not in "\r\n":
                raise unreadable_error(
                    f"{self.where} line {self.line}", f"has more than {format_count(limit)} characters"
                )
            yield self._check(text)

    def _decode(self, text: str) -> str:
        if not self._tries_utf_8 or text.isascii():
            return text
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:  # it holds bytes that are not UTF-8
            return text.encode("utf-8", "surrogateescape").decode(self._encoding)
        return text

    def _check(self, text: str) -> str:
        if "\0" in text:
            where = f"{self.where} line {self.line}" if self.line else self.where
            remedy = "if it is UTF-16, say encoding='utf-16-le'; otherwise it is damaged, write it again"
            raise unreadable_error(where, "holds NUL characters", remedy)
        return text

    def _encoding_error(self, near: str) -> Exception:
        remedy = "name the file's encoding in the parameter encoding, e.g. encoding='windows-1252'"
        return unreadable_error(self.where + near, f"is not text in {self._encoding}", remedy)


def _is_single_byte(encoding: str) -> bool:
    """Tell whether each byte is a character of its own, and the first half of them ASCII."""
    try:
        ascii_half = _ASCII.decode(encoding)
        upper_half = _NOT_ASCII.decode(encoding, errors="replace")
    except UnicodeError:
        return False
    return ascii_half == _ASCII.decode("ascii") and len(upper_half) == len(_NOT_ASCII) and set(upper_half) != {"\ufffd"}
