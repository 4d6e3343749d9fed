"""The chain of evidence: its files, and how they are verified from the files alone.

A file is one line of JSON without blanks outside of strings, members in the order of writing, UTF-8, ending in a member
``hash`` and a line feed. The hash is the SHA-256 of the same text without that member and without the line feed. It is
computed over bytes, so any change is found, also one that means the same in JSON.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from airflow_provider_rma.billing.evidence.model import ChainDefect, DefectKind, EvidenceRef

#: Version of the layout.
SCHEMA = 1

#: What separates the head of a file, which states what the run was, from its documents.
DOCUMENTS = b',"documents":['

#: The end of a file, after the documents.
_TAIL = re.compile(rb',"hash":"([0-9a-f]{64})"\}\n')
_TAIL_LENGTH = 76
_NAME = re.compile(r"([0-9a-f]{8})-([0-9]{6,12})-([0-9a-f]{12})\.json")
_PENDING = ".pending"
_CHUNK = 1 << 18
#: A head is some hundred bytes; what is longer is none.
_HEAD_LENGTH = 1 << 20
#: Links missing in a row that are named one by one.
_NAMED = 50


@dataclass(frozen=True)
class _Link:
    """A file by its content; a file that cannot be trusted, by its name."""

    name: str
    chain: str
    seq: int
    hash: str
    previous: str | None = None
    tenant: str = ""
    trusted: bool = True


def chain_tag(service: str, tenant: str) -> str:
    """Return the prefix of the names of a chain's files: a tenant may have a chain for each service."""
    return hashlib.sha256(f"{service}\n{tenant}".encode()).hexdigest()[:8]


def file_name(service: str, tenant: str, seq: int, digest: str) -> str:
    """Return the name of an evidence file. It holds a part of the hash, so that no file is written over another."""
    return _file_name(chain_tag(service, tenant), seq, digest)


def find_last_file(fs: Any, folder: str, service: str, tenant: str) -> tuple[int, str]:
    """Find the newest file of a chain by names alone: its position and name, ``(0, "")`` if there is none."""
    tag = chain_tag(service, tenant)
    matches = (_NAME.fullmatch(name) for name in _list_names(fs, folder))
    return max(((int(match[2]), match[0]) for match in matches if match and match[1] == tag), default=(0, ""))


def make_pending_path(path: str) -> str:
    """Make the path under which a file is written before its link is recorded; no other file has it."""
    folder, name = posixpath.split(path)
    return f"{folder}/.{name}.{uuid.uuid4().hex[:12]}{_PENDING}"


def list_pending_files(fs: Any, folder: str, service: str, tenant: str) -> list[tuple[int, str, str]]:
    """List the files of a chain that wait for their name: position, the name they are to have, and their path."""
    tag = chain_tag(service, tenant)
    names = (name for name in _list_all_names(fs, folder) if name.startswith(".") and name.endswith(_PENDING))
    matches = ((name, _NAME.fullmatch(name[1:].removesuffix(_PENDING).rpartition(".")[0])) for name in names)
    return sorted(
        (int(match[2]), match[0], f"{folder}/{name}")
        for name, match in matches
        if match is not None and match[1] == tag
    )


def read_hash(fs: Any, folder: str, name: str) -> str:
    """Read the hash of an evidence file; 64 zeros if it is damaged: the chain goes on, and the damage stays visible."""
    link = _examine(fs, folder, name, [])
    return link.hash if link is not None and link.trusted else "0" * 64


def verify_chain(fs: Any, folder: str, *, expected: Iterable[EvidenceRef] = ()) -> list[ChainDefect]:
    """Verify the evidence of a folder. Memory grows with the number of files, not with their size.

    From the files alone the removal of the newest ones cannot be seen: nothing follows them. ``expected`` closes that.

    :param fs: an fsspec file system.
    :param folder: the folder that holds the files.
    :param expected: links that must be there, as the journal's database knows them
        (:func:`~airflow_provider_rma.billing.evidence.writer.list_recorded_links`) or as somebody wrote them down.
    :returns: everything that is wrong, by name of the file; empty if the chain holds.
    """
    defects: list[ChainDefect] = []
    links = [link for name in _list_names(fs, folder) if (link := _examine(fs, folder, name, defects)) is not None]
    wanted = list(expected)
    chains: dict[str, list[_Link]] = defaultdict(list)
    for link in _select_owners(links, defects):
        chains[link.chain].append(link)
    for chain in chains.values():
        defects.extend(_check_chain(chain))
    present = {link.name: link for link in links}
    for ref in wanted:
        _check_expected(ref, present, defects)
    return sorted(set(defects), key=lambda defect: (defect.file, defect.kind, defect.sentence))


def _file_name(tag: str, seq: int, digest: str) -> str:
    return f"{tag}-{seq:06d}-{digest[:12]}.json"


def _list_names(fs: Any, folder: str) -> list[str]:
    """List the names of the JSON files of a folder."""
    return [name for name in _list_all_names(fs, folder) if name.endswith(".json") and not name.startswith(".")]


def _list_all_names(fs: Any, folder: str) -> list[str]:
    fs.invalidate_cache(folder)
    if not fs.exists(folder):
        return []
    return sorted(posixpath.basename(str(path)) for path in fs.ls(folder, detail=False))


def _examine(fs: Any, folder: str, name: str, defects: list[ChainDefect]) -> _Link | None:
    """Read one file, adding what is wrong with it taken by itself; None if not even its name says where it belongs."""
    match = _NAME.fullmatch(name)
    by_name = _Link(name, match[1], int(match[2]), match[3], trusted=False) if match else None
    try:
        with fs.open(f"{folder}/{name}", "rb") as stream:
            head, computed, stated = _read(stream)
    except Exception as error:  # noqa: BLE001 - every file system has exceptions of its own; the defect names it
        defects.append(ChainDefect(DefectKind.UNREADABLE, name, f"The file cannot be read ({type(error).__name__})."))
        return by_name
    if not head.startswith(b'{"evidence":'):
        defects.append(ChainDefect(DefectKind.UNREADABLE, name, "The file is empty or not evidence."))
        return by_name
    if stated is None:
        sentence = "The file does not end as evidence does: it was cut short, or something was appended."
        defects.append(ChainDefect(DefectKind.CHANGED, name, sentence))
        return by_name
    if stated != computed:
        defects.append(
            ChainDefect(DefectKind.CHANGED, name, "The content does not have the hash that it states: it was changed.")
        )
        return by_name
    link = _parse(name, head, stated)
    if link is None:
        defects.append(ChainDefect(DefectKind.UNREADABLE, name, f"The file is not evidence of version {SCHEMA}."))
        return by_name
    due = _file_name(link.chain, link.seq, link.hash)
    if name != due:
        sentence = f"The file holds link {link.seq}, whose name is {due}: it was renamed, copied or exchanged."
        defects.append(ChainDefect(DefectKind.OUT_OF_ORDER, name, sentence))
    return link


def _read(stream: IO[bytes]) -> tuple[bytes, str, str | None]:
    """The beginning of a file, the hash of its content, and the hash it states (None if it states none)."""
    digest = hashlib.sha256()
    head, held = b"", b""
    while chunk := stream.read(_CHUNK):
        head += chunk[: max(0, _HEAD_LENGTH - len(head))]
        held += chunk
        digest.update(held[:-_TAIL_LENGTH])
        held = held[-_TAIL_LENGTH:]
    digest.update(b"}")
    tail = _TAIL.fullmatch(held)
    return head, digest.hexdigest(), tail[1].decode() if tail else None


def _parse(name: str, head: bytes, stated: str) -> _Link | None:
    # No string of JSON holds an unescaped quote, so this is found where the documents begin and nowhere else.
    start, _, _ = head.partition(DOCUMENTS)
    try:
        values = json.loads(start + b"}")
        service, tenant, seq, previous = (values[key] for key in ("service", "tenant", "sequence", "previous"))
        if values["evidence"] != SCHEMA or not isinstance(seq, int):
            return None
    except (ValueError, KeyError):
        return None
    return _Link(name, chain_tag(service, tenant), seq, stated, previous, tenant)


def _select_owners(links: Sequence[_Link], defects: list[ChainDefect]) -> Iterator[_Link]:
    """Select the links of the tenant to whom the folder belongs; those of any other tenant are defects."""
    tenants = Counter(link.tenant for link in links if link.trusted)
    owner = tenants.most_common(1)[0][0] if tenants else ""
    for link in links:
        if link.trusted and link.tenant != owner:
            sentence = f"The file is evidence of tenant {link.tenant}, the folder belongs to {owner}."
            defects.append(ChainDefect(DefectKind.OUT_OF_ORDER, link.name, sentence))
        else:
            yield link


def _check_chain(links: Sequence[_Link]) -> Iterator[ChainDefect]:
    """Check the links of one chain together."""
    places: dict[int, list[_Link]] = defaultdict(list)
    for link in links:
        places[link.seq].append(link)
    before = 0
    for seq in sorted(places):
        here = places[seq]
        yield from _check_fork(seq, here)
        if seq > before + 1:
            yield from _name_missing(before + 1, seq - 1, here[0])
        else:
            for link in here:
                yield from _check_previous(link, places.get(seq - 1, []))
        before = seq


def _check_fork(seq: int, here: Sequence[_Link]) -> Iterator[ChainDefect]:
    if len({link.hash[:12] for link in here}) > 1:
        names = ", ".join(link.name for link in here)
        for link in here:
            yield ChainDefect(DefectKind.FORK, link.name, f"Link {seq} exists {len(here)} times: {names}.")


def _name_missing(first: int, last: int, successor: _Link) -> Iterator[ChainDefect]:
    """Name links that are not there; the name of the last is known from its successor."""
    after = f"link {successor.seq} ({successor.name}) was written after it"
    if last - first >= _NAMED:
        name = _file_name(successor.chain, first, "…")
        yield ChainDefect(DefectKind.MISSING, name, f"Links {first} to {last - 1} are missing.")
        first = last
    for seq in range(first, last + 1):
        known = seq == last and successor.trusted and successor.previous
        name = _file_name(successor.chain, seq, successor.previous if known and successor.previous else "…")
        yield ChainDefect(DefectKind.MISSING, name, f"Link {seq} is missing: {after}.")


def _check_previous(link: _Link, before: Sequence[_Link]) -> Iterator[ChainDefect]:
    if not link.trusted:
        return
    if link.seq == 1:
        if link.previous is not None:
            yield ChainDefect(DefectKind.OUT_OF_ORDER, link.name, "Link 1 names a link before it.")
        return
    hashes = {earlier.hash for earlier in before if earlier.trusted}
    if len(hashes) == len(before) and link.previous not in hashes:
        for earlier in before:
            yield ChainDefect(
                DefectKind.CHANGED, earlier.name, f"The file is not the one on which {link.name} was built: replaced."
            )


def _check_expected(ref: EvidenceRef, present: dict[str, _Link], defects: list[ChainDefect]) -> None:
    name = posixpath.basename(ref.path)
    link = present.get(name)
    if link is None:
        defects[:] = [defect for defect in defects if (defect.kind, defect.file) != (DefectKind.MISSING, name)]
        defects.append(
            ChainDefect(DefectKind.MISSING, name, f"Link {ref.seq} is missing: it was recorded when it was written.")
        )
    elif link.trusted and link.hash != ref.hash:
        defects.append(
            ChainDefect(DefectKind.CHANGED, name, "The content is not what was recorded when it was written.")
        )
