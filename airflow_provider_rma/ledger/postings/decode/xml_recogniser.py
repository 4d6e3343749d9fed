"""The documented form of a response in XML, as one regular expression made from the schema.

The interface nests three levels deep and no deeper, so "well-formed, and nothing in it that is not declared" is a
regular language. A finite automaton (RE2, in Arrow) recognises it over the raw bytes as fast as a parser that builds
nothing, sees the names as well, and does without Python's lock. What it accepts is:

* tags exactly as the service writes them: no blanks inside, attributes after one blank and in double quotes;
* each member of a posting at most once, in the order that the first postings show;
* attributes that nobody keeps only with a value that their field can read;
* text without control characters, carriage returns, markup other than references to characters, or broken UTF-8;
* no comments, processing instructions, CDATA sections, DOCTYPE, namespaces, and nothing behind the root.

All of XML beyond that is legal too, and left to the strict path.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from functools import cache
from types import TracebackType
from typing import IO, Self

from airflow_provider_rma.client.stream import announced_count
from airflow_provider_rma.ledger._pyarrow import pa, pc
from airflow_provider_rma.ledger.postings.decode.fields import ITEM, ROOT, FastPathRefusedError, Leaf, Member, members
from airflow_provider_rma.schemas.fields import Boolean
from airflow_provider_rma.schemas.text import Text

#: Bytes looked at together, and the longest posting that is waited for. Each look builds the automaton afresh, which
#: takes as long as 3 MB.
CHUNK = 16 * 1024 * 1024

#: Bytes looked at first: the decoder waits for them.
_FIRST = 2 * 1024 * 1024

#: Bytes of the first postings that show the order of members.
_SAMPLE = 128 * 1024

_BLANK = r"[ \t\r\n]*"
_HIGH = r"\x{E000}-\x{FFFD}\x{10000}-\x{10FFFF}"
# & < > ] are treated on their own: no markup, and the sequence ]]> is forbidden in text.
_CHARACTER = rf"[\x{{9}}\x{{A}}\x{{20}}-\x{{25}}\x{{27}}-\x{{3B}}\x{{3D}}\x{{3F}}-\x{{5C}}\x{{5E}}-\x{{D7FF}}{_HIGH}]"
_REFERENCE = (
    r"&(?:amp|lt|gt|quot|apos"
    r"|#(?:9|10|13|3[2-9]|[4-9][0-9]|[1-9][0-9]{2,3}|[1-4][0-9]{4}|1[0-9]{5})"
    r"|#x(?:9|[aAdD]|[2-9a-fA-F][0-9a-fA-F]|[1-9a-fA-F][0-9a-fA-F]{2}|[1-9a-cA-C][0-9a-fA-F]{3}|1[fF][0-9a-fA-F]{3}));"
)
_TEXT = rf"(?:{_CHARACTER}|>|{_REFERENCE}|\](?:{_CHARACTER}|>|{_REFERENCE})|\]\]+(?:{_CHARACTER}|{_REFERENCE}))*\]*"
_QUOTED = rf"(?:[\x{{20}}\x{{21}}\x{{23}}-\x{{25}}\x{{27}}-\x{{3B}}\x{{3D}}-\x{{D7FF}}{_HIGH}]|{_REFERENCE})*"

_HEAD = re.compile(
    rb'(?:<\?xml version="1\.0"(?: encoding="(?:utf|UTF)-8")?(?: standalone="(?:yes|no)")?[ ]?\?>)?[ \t\r\n]*'
    rb"<" + ROOT.encode() + rb'((?: [A-Za-z_]+="[ !#-%\'-;=-~]*")*)>[ \t\r\n]*'
)
_ATTRIBUTE = re.compile(rb' ([A-Za-z_]+)="([^"]*)"')
_TAIL = re.compile(rb"[ \t\r\n]*</" + ROOT.encode() + rb">[ \t\r\n]*")
_OPEN, _CLOSE = f"<{ITEM}>".encode(), f"</{ITEM}>".encode()
_TAG = re.compile(rb"<([A-Za-z_]+)[ />]")


def pattern(order: tuple[str, ...]) -> str:
    """Make the expression for one posting or several.

    :param order: names of all members in the order in which they come.
    """
    by_name = {member.name: member for member in members()}
    inside = "".join(f"(?:{_element(by_name[name])}{_BLANK})?" for name in order)
    return rf"\A{_BLANK}(?:<{ITEM}>{_BLANK}{inside}</{ITEM}>{_BLANK})+\z"


def _element(member: Member) -> str:
    name = member.name
    if member.is_value:
        return f"<{name}(?:/>|>{_TEXT}</{name}>)"
    attributes = "|".join(f'{leaf.part}="{_attribute(leaf)}"' for leaf in member.leaves)
    filled = f"></{name}>"
    if member.opaque:
        # Blanks alone would be text; beside at least one element they are indentation.
        empty = "|".join(f"<{part}(?:/>|></{part}>)" for part in member.opaque)
        filled += f"|>{_BLANK}(?:(?:{empty}){_BLANK})+</{name}>"
    return rf"<{name}(?:/>|></{name}>|(?: (?:{attributes}))+(?:/>|{filled}))"


def _attribute(leaf: Leaf) -> str:
    """Make the expression of an attribute. One that is not kept is not decoded either, so it is checked here."""
    if leaf.is_kept or isinstance(leaf.field, Text):
        return _QUOTED
    return "(?:true|false)?" if isinstance(leaf.field, Boolean) else "(?:-?[0-9]{1,18})?"


def member_order(sample: bytes) -> tuple[str, ...]:
    """Find the order of the members in some postings. Those that are in none come where they are documented."""
    declared = [member.name for member in members()]
    order: list[str] = []
    for posting in sample.split(_OPEN):
        _merge(order, [name for name in (tag.decode() for tag in _TAG.findall(posting)) if name in declared])
    for index, name in enumerate(declared):
        _merge(order, [*(other for other in declared[:index] if other in order), name][-2:])
    return tuple(order)


def _merge(order: list[str], names: list[str]) -> None:
    """Put names that are not yet in the order behind the one before them."""
    for before, name in zip(["", *names], names, strict=False):
        if name not in order:
            order.insert(order.index(before) + 1 if before else 0, name)


class Recogniser(threading.Thread):
    """Looks at the bytes of a response while another thread decodes them; a context manager.

    :param body: the response; closed at the end.
    """

    def __init__(self, body: IO[bytes]) -> None:
        super().__init__(name="rma-recogniser", daemon=True)
        self._body = body
        self._news = threading.Condition()
        self._given_up = False
        self._count = 0
        self._problem: BaseException | None = None
        self._whole = False
        self._attributes: dict[str, str] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._given_up = True
        self.join()

    @property
    def announced(self) -> int | None:
        """How many postings the root announces."""
        return announced_count(self._attributes)

    def wait_for(self, count: int) -> None:
        """Wait until that many postings are known to be regular.

        :raises FastPathRefusedError: if they are not.
        """
        with self._news:
            self._news.wait_for(lambda: self._count >= count or self._problem is not None or self._whole)
            if self._count < count:
                raise self._problem or FastPathRefusedError("more postings were decoded than there are")

    def wait_for_end(self) -> int:
        """Wait until the document is known to be regular to its end. Returns the number of its postings.

        :raises FastPathRefusedError: if it is not.
        """
        with self._news:
            self._news.wait_for(lambda: self._problem is not None or self._whole)
            if self._problem is not None:
                raise self._problem
            return self._count

    def run(self) -> None:
        problem: BaseException | None = None
        try:
            with self._body:
                self._recognise_all()
        except Exception as error:  # noqa: BLE001  the other thread waits for it
            problem = error
        with self._news:
            self._problem = problem
            self._whole = problem is None
            self._news.notify_all()

    def _recognise_all(self) -> None:
        head = self._body.read(min(_FIRST, CHUNK))
        start = self._begin(head)
        matches = _compile(member_order(head[start : start + _SAMPLE]))
        buffer = bytearray(CHUNK)
        filled = len(head) - start
        buffer[:filled] = head[start:]
        del head
        while True:
            end = buffer.rfind(_CLOSE, 0, filled) + len(_CLOSE)
            if end >= len(_CLOSE):
                self._recognise(memoryview(buffer)[:end], matches)
                buffer[: filled - end] = buffer[end:filled]
                filled -= end
            if self._given_up:
                return
            if filled == CHUNK:
                raise FastPathRefusedError("a posting is very long")
            more = self._body.readinto(memoryview(buffer)[filled:])  # type: ignore[attr-defined]
            if not more:
                break
            filled += more
        if not _TAIL.fullmatch(buffer, 0, filled):
            raise FastPathRefusedError("the document does not end as documented")

    def _begin(self, head: bytes) -> int:
        """Look at the root. Returns the position of the first posting."""
        start = head.find(_OPEN)
        match = _HEAD.fullmatch(head[:start] if start >= 0 else b"")
        if not match:
            raise FastPathRefusedError("the document does not begin as documented, or has no postings")
        found = _ATTRIBUTE.findall(match[1])
        self._attributes = {name.decode(): value.decode() for name, value in found}
        if len(found) != len(self._attributes) or b"xmlns" in match[1]:
            raise FastPathRefusedError("the root has unusual attributes")
        return start

    def _recognise(self, postings: memoryview, matches: Callable[[memoryview], bool]) -> None:
        if not matches(postings):
            raise FastPathRefusedError("a posting has another form than the documented one")
        count = postings.obj.count(_CLOSE, 0, len(postings))  # type: ignore[attr-defined]
        with self._news:
            self._count += count
            self._news.notify_all()


@cache
def _compile(order: tuple[str, ...]) -> Callable[[memoryview], bool]:
    options = pc.MatchSubstringOptions(pattern(order))

    def matches(data: memoryview) -> bool:
        offsets = pa.py_buffer(b"".join(offset.to_bytes(8, "little") for offset in (0, len(data))))
        text = pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(data)])
        return bool(pc.call_function("match_substring_regex", [text], options)[0].as_py())

    return matches
