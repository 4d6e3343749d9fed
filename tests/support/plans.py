"""Plans that were changed after they were written: every kind of damage that a file can take."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Mutation = Callable[[bytes], bytes]

#: Values that no member of a plan has at most of its places.
WRONG = st.one_of(
    st.sampled_from(
        [
            None, True, False, 0, 1, -1, 1.5, 10**400, float("nan"), "", "x", "None", "NaN", "1E+3", "create",
            "invalid", "unchanged", "\ud83d", "R-1\u200b", "9" * 70, [], ["x"], {}, {"x": "y"}, [[[[[]]]]],
        ]
    ),
    st.text(max_size=3),
)  # fmt: skip


def mutations() -> st.SearchStrategy[Mutation]:
    """Changes of the bytes, the lines, or the members of a plan."""
    return st.one_of(_bytes(), _lines(), _members(), _members())


def change_member(content: bytes, line: int, path: tuple[Any, ...], value: Any) -> bytes:
    """Give a member of a line another value; ``KeyError`` as the value removes it."""

    def change(values: Any) -> None:
        for name in path[:-1]:
            values = values[name]
        if value is KeyError:
            del values[path[-1]]
        else:
            values[path[-1]] = value

    return _change_line(content, line, change)


def _bytes() -> st.SearchStrategy[Mutation]:
    def mutate(where: float, kind: str, byte: int) -> Mutation:
        def change(content: bytes) -> bytes:
            at = int(where * len(content))
            if kind == "cut":
                return content[:at]
            return content[:at] + (b"" if kind == "drop" else bytes([byte])) + content[at + (kind != "insert") :]

        return change

    kinds = st.sampled_from(["cut", "drop", "insert", "replace"])
    return st.builds(mutate, st.floats(0, 1, exclude_max=True), kinds, st.integers(0, 255))


def _lines() -> st.SearchStrategy[Mutation]:
    def mutate(kind: str, one: int, other: int, text: bytes) -> Mutation:
        def change(content: bytes) -> bytes:
            lines = content.splitlines(keepends=True) or [b""]
            first, second = one % len(lines), other % len(lines)
            if kind == "drop":
                del lines[first]
            elif kind == "swap":
                lines[first], lines[second] = lines[second], lines[first]
            else:
                lines.insert(first, lines[second] if kind == "repeat" else text)
            return b"".join(lines)

        return change

    texts = st.sampled_from([b"\n", b"[]\n", b"null\n", b"{}\n", b"[" * 100_000 + b"\n", b"\xff\xfe\n", b'{"a": 1}\n'])
    return st.builds(
        mutate, st.sampled_from(["drop", "swap", "repeat", "insert"]), st.integers(0), st.integers(0), texts
    )


def _members() -> st.SearchStrategy[Mutation]:
    def mutate(line: int, steps: list[int], kind: str, wrong: Any) -> Mutation:
        def change_values(values: Any) -> None:
            for step in steps:
                place = _places(values)[step % len(_places(values))]
                if not isinstance(values[place], dict | list) or not values[place]:
                    break
                values = values[place]
            place = _places(values)[steps[-1] % len(_places(values))]
            if kind == "remove":
                del values[place]
            elif kind == "add" and isinstance(values, dict):
                values["unheard"] = wrong
            else:
                values[place] = wrong

        return lambda content: _change_line(content, line, change_values)

    return st.builds(
        mutate,
        st.integers(0),
        st.lists(st.integers(0, 40), min_size=1, max_size=6),
        st.sampled_from(["remove", "add", "retype", "retype"]),
        WRONG,
    )


def _places(values: Any) -> list[Any]:
    return list(values) if isinstance(values, dict) else list(range(len(values)))


def _change_line(content: bytes, line: int, change: Callable[[Any], None]) -> bytes:
    lines = content.splitlines(keepends=True)
    try:
        values = json.loads(lines[line % len(lines)])
        change(values)
    except (ValueError, LookupError, ZeroDivisionError, TypeError, RecursionError):
        return content  # what another change has made unreadable stays so
    lines[line % len(lines)] = json.dumps(values).encode() + b"\n"
    return b"".join(lines)
