"""The columns that flat rows of a kind may have. A wrong header is one error, however many rows follow it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from airflow_provider_rma.exceptions import FieldProblem, InvalidInputError
from airflow_provider_rma.schemas.base import EntitySchema
from airflow_provider_rma.schemas.customer import CustomerSchema
from airflow_provider_rma.schemas.fields import FieldSpec
from airflow_provider_rma.schemas.invoice import InvoiceSchema
from airflow_provider_rma.schemas.problems import Problem, printable_name, unknown_field_problem

#: Problems of a header that are named; a file of another kind has hundreds.
MAX_PROBLEMS = 10

#: A problem of a column: its name, and how to put the problem into words.
_Found = tuple[str, Callable[[], Problem]]

_PANDAS = ("__index_level_", "Unnamed: ", "level_")


@dataclass(frozen=True)
class RecordColumns:
    """The columns of one kind of record.

    :param entity: what a record is called, e.g. ``invoice``.
    :param key: the column that ties rows together (``invnumber``, ``customernumber``).
    :param names: every column that may be there.
    :param required: columns without which no row can be used, by the prefix of the nested field that they belong to;
        those of ``""`` are always required.
    :param alternatives: columns or prefixes, of each set of which one must be there.
    """

    entity: str
    key: str
    names: frozenset[str]
    required: Mapping[str, Sequence[str]]
    alternatives: Sequence[tuple[str, str]] = ()

    @classmethod
    def from_schema(
        cls, schema: type[EntitySchema], *extra: str, alternatives: Sequence[tuple[str, str]] = ()
    ) -> RecordColumns:
        """Derive the columns from a schema.

        :param extra: columns that are no fields of RMA.
        """
        specs = {_column_name(spec): spec for spec in schema.field_specs()}
        required: dict[str, list[str]] = {}
        for name, spec in specs.items():
            if spec.required:
                required.setdefault(name.rpartition("__")[0], []).append(name)
        assert schema.key is not None  # noqa: S101 - entities that users write are named by a key
        return cls(schema.entity, schema.key, frozenset(specs).union(extra), required, alternatives)

    def match(self, names: Sequence[str]) -> list[str]:
        """Replace names that differ from a column's in case only: databases fold names that are not quoted."""
        folded = {name.casefold(): name for name in self.names}
        return [name if name in self.names else folded.get(name.casefold(), name) for name in names]

    def check(self, names: Sequence[str], where: str) -> None:
        """Refuse a header with which no row can be used.

        :param names: names of the columns; of nested columns their flat names, too.
        :param where: the source, for messages.
        :raises InvalidInputError: naming every column that is wrong.
        """
        if not self.names.intersection(names):
            remedy = f"the first line must hold {self.entity} fields such as {self.key}; remove title lines above it"
            problem = f"none of its {len(names)} columns is named as a field of RMA"
            raise InvalidInputError([FieldProblem(where, problem, remedy)])
        problems = list(self._find_problems(names))
        if problems:
            more = len(problems) - MAX_PROBLEMS
            found = [(name, make()) for name, make in problems[:MAX_PROBLEMS]]
            shown = [FieldProblem(f"{where}: {name}", str(problem), problem.remedy) for name, problem in found]
            if more > 0:
                shown.append(FieldProblem(where, f"{more} more problems of its columns"))
            raise InvalidInputError(shown)

    def _find_problems(self, names: Sequence[str]) -> Iterator[_Found]:
        """Find what is wrong. Most is only counted, so a problem is put into words when it is shown."""
        repeated = {name for name, count in Counter(names).items() if count > 1 and name}
        for position, name in enumerate(dict.fromkeys(names), start=1):
            if not name:
                yield (
                    f"column {position}",
                    partial(Problem, "has no name", "name it or remove it (pandas: index=False)"),
                )
            elif name in repeated:
                yield (
                    printable_name(name),
                    partial(Problem, "is the name of two columns", "keep the column that is meant"),
                )
            elif name not in self.names and name.startswith(_PANDAS):
                yield (
                    printable_name(name),
                    partial(Problem, "is the index of a data frame", "write it with index=False"),
                )
            elif name not in self.names:
                yield printable_name(name), partial(unknown_field_problem, name, self.names, self.entity)
        yield from self._find_missing(frozenset(names))

    def _find_missing(self, names: frozenset[str]) -> Iterator[_Found]:
        prefixes = {name.partition("__")[0] for name in names if "__" in name}
        for prefix in sorted(prefixes & names):
            yield prefix, partial(Problem, "is there both as a whole and in columns of its own", "keep one of the two")
        for prefix, required in self.required.items():
            if not prefix or any(name.startswith(f"{prefix}__") for name in names):
                for name in sorted(set(required) - names):
                    yield name, partial(Problem, "is missing", "add the column, the field is required")
        for alternative in self.alternatives:
            if not (names | prefixes).intersection(alternative):
                yield " or ".join(alternative), partial(Problem, "is missing", "add columns of one of the two")


def _column_name(spec: FieldSpec) -> str:
    return spec.path.replace("[].", "__").replace(".", "__")


INVOICE_COLUMNS = RecordColumns.from_schema(
    InvoiceSchema,
    "expected_amount",
    alternatives=(("customernumber", "customer"), ("parts", "incomeentries")),
)
CUSTOMER_COLUMNS = RecordColumns.from_schema(CustomerSchema)

#: By the name of the kind.
COLUMNS: Mapping[str, RecordColumns] = {"invoice": INVOICE_COLUMNS, "customer": CUSTOMER_COLUMNS}


def flatten_names(names: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """Name nested columns as flat rows do: the whole is not named beside its parts.

    :param names: each column with the names inside it, none for a plain one.
    """
    flat: list[str] = []
    for name, inner in names:
        flat.extend(f"{name}__{child}" for child in inner) if inner else flat.append(name)
    return flat
