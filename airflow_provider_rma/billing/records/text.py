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


class TextSource:
    """The text of a file.

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
        self._text = io.TextIOWrapper(stream, encoding=self._encoding, newline="")

    def read(self, size: int) -> str:
        """Read up to so many characters; an empty text is the end."""
        try:
            return self._check(self._text.read(size))
        except UnicodeError as error:
            raise self._encoding_error("") from error

    def iter_lines(self, limit: int) -> Iterator[str]:
        """Read line by line, with their ends, counting them in ``line``.

        :param limit: most characters of a line.
        """
        while True:
            try:
                text = self._text.readline(limit)
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

    def _check(self, text: str) -> str:
        if "\0" in text:
            where = f"{self.where} line {self.line}" if self.line else self.where
            remedy = "if it is UTF-16, say encoding='utf-16-le'; otherwise it is damaged, write it again"
            raise unreadable_error(where, "holds NUL characters", remedy)
        return text

    def _encoding_error(self, near: str) -> Exception:
        remedy = "name the file's encoding in the parameter encoding, e.g. encoding='windows-1252'"
        return unreadable_error(self.where + near, f"is not text in {self._encoding}", remedy)
