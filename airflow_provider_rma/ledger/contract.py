"""The tables of the warehouse: the column contract, once, for every destination.

Names, types and meaning of these columns are public. :data:`CONTRACT_VERSION` is raised when a column is added (readers
of an older version keep working); a column is never renamed, retyped or removed within a major version of the provider.
``docs/warehouse.md`` repeats this module as a page, and a test keeps the two equal.

The declaration is plain data and imports the standard library only. :mod:`.arrow_schemas` declares the same tables for
Arrow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

#: Version of the column contract; stored with the data.
CONTRACT_VERSION = 4

#: Kinds of change in the table ``changes``, in the order in which they are reported.
CHANGE_KINDS = ("added", "removed", "amended", "reposted")

#: Digits of an amount, and how many of them are decimals. The general ledger of the service works with eight decimals.
PRECISION, SCALE = 28, 8


@dataclass(frozen=True)
class Column:
    """One column.

    :param type: one of the keys of :data:`TYPES`.
    :param note: its meaning, in one or two sentences; goes into the documentation.
    :param nullable: whether it may be null.
    """

    name: str
    type: str
    note: str
    nullable: bool = True


@dataclass(frozen=True)
class Table:
    """One table: ``grain`` says what one row stands for and what identifies it."""

    name: str
    grain: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]


@dataclass(frozen=True)
class ColumnType:
    """A type of the contract: its names in SQL and in Arrow."""

    sql: str
    arrow: str


TYPES = {
    "text": ColumnType("VARCHAR", "string"),
    "date": ColumnType("DATE", "date32"),
    "money": ColumnType(f"DECIMAL({PRECISION}, {SCALE})", f"decimal128({PRECISION}, {SCALE})"),
    "int64": ColumnType("BIGINT", "int64"),
    "int32": ColumnType("INTEGER", "int32"),
    "int16": ColumnType("SMALLINT", "int16"),
    "float64": ColumnType("DOUBLE PRECISION", "float64"),
    "bool": ColumnType("BOOLEAN", "bool"),
    "time": ColumnType("TIMESTAMP WITH TIME ZONE", "timestamp(us, UTC)"),
}


def _required(name: str, kind: str, note: str) -> Column:
    return Column(name, kind, note, nullable=False)


_TENANT = _required("tenant", "text", "Tenant (RMA: Mandant) the row belongs to.")
_MONTH = _required("month", "date", "First day of the window, which is always a whole month.")
_LOAD_ID = _required("load_id", "text", "Load that wrote the row; leads to `loads`.")

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "postings",
            "One posting line as it stood when its window was last loaded. No key of its own: `entry_id` is unstable.",
            (
                _TENANT,
                _MONTH,
                _required("transdate", "date", "Day of posting as written, without any time zone."),
                _required("accno", "text", "Account number."),
                Column("account_name", "text", "Name of the account when the window was loaded."),
                _required("amount", "money", "Raw amount as the service sends it: debit negative, credit positive."),
                _required("debit", "money", "The amount if it is a debit, else 0. Never negative."),
                _required("credit", "money", "The amount if it is a credit, else 0. Never negative."),
                Column("voucher_id", "int64", "Voucher of the line: unique together with `module`."),
                Column("module", "text", "Where the voucher comes from: `ar`, `ap` or `gl`."),
                Column("reference", "text", "Invoice number, or reference of the ledger voucher."),
                Column("description", "text", "Text of the voucher."),
                Column("source", "text", "Source of the line, for example of a payment."),
                Column("memo", "text", "Memo of the line."),
                Column("notes", "text", "Notes of the voucher, meant for the customer."),
                Column("intnotes", "text", "Internal notes of the voucher."),
                Column("department_id", "int64", "Department."),
                Column("department_name", "text", "Name of the department."),
                Column("department_role", "text", "`P` profit centre, `C` cost centre."),
                Column(
                    "entry_id",
                    "int64",
                    "Line number of the service. Unstable: saving the voucher again gives new ones. Never join on it "
                    "over time.",
                ),
                Column("extra", "text", "Fields unknown to this version, as a JSON object; null if there are none."),
                _LOAD_ID,
            ),
        ),
        Table(
            "accounts",
            "One account of a tenant's chart; key `tenant`, `accno`. Replaced as a whole by each run.",
            (
                _TENANT,
                _required("accno", "text", "Account number."),
                Column("description", "text", "Name of the account."),
                Column("link", "text", "Uses of the account, separated by colons, e.g. `AR_paid:AP_paid`."),
                Column("allow_gl", "bool", "Whether it may be booked directly."),
                Column("is_active", "bool", "Whether it is in use."),
                _required("kind", "text", "`balance_sheet`, `income_statement`, `closing` or `unknown`."),
                _required("kind_source", "text", "Where `kind` comes from: `first_digit` or `mapping`."),
                _LOAD_ID,
                Column(
                    "rma_id",
                    "int64",
                    "Id of the account at the service; it stays when the account gets another number. Null if the "
                    "service did not state it.",
                ),
            ),
        ),
        Table(
            "balances",
            "What the service states for one account and window, unchanged; key `tenant`, `month`, `accno`.",
            (
                _TENANT,
                _MONTH,
                _required("accno", "text", "Account number."),
                Column("account_name", "text", "Name of the account as the balance list gives it."),
                Column("opening", "money", "Balance at the end of the day before the window, as sent."),
                Column("movement", "money", "Movement of the window, as sent."),
                Column("closing", "money", "Balance at the end of the window, as sent."),
                Column(
                    "sign",
                    "int16",
                    "1 or -1: the stated amounts times this are raw (debit negative). Null while the tenant's "
                    "convention is not known.",
                ),
                _required(
                    "basis",
                    "text",
                    "`to`: opening and closing were asked for (balance sheet); `from_to`: the movement (income "
                    "statement).",
                ),
                _LOAD_ID,
            ),
        ),
        Table(
            "proofs",
            "The check of one account in one window, and one row with null `accno` for the window as a whole. A window "
            "has at most two sets: the one of what is loaded, and the one of the latest attempt that was refused.",
            (
                _TENANT,
                _MONTH,
                Column("accno", "text", "Account number; null in the row for the window as a whole."),
                Column("opening", "money", "Opening balance, raw (debit negative)."),
                Column("movements", "money", "Sum of the postings of the window, raw."),
                Column("closing", "money", "Closing balance as the service states it, raw."),
                Column("expected_closing", "money", "Opening plus movements, raw."),
                Column("difference", "money", "Stated less expected; 0 where the proof holds."),
                _required(
                    "verdict",
                    "text",
                    "`exact`, `tolerated`, `balances_only`, `broken`, `broken_chain`, `unsettled`, "
                    "`suspicious_empty` or `unproven`. Only the first two are proven.",
                ),
                Column("reasons", "text", "JSON list of reasons; null or `[]` if there is nothing to say."),
                _LOAD_ID,
                _required(
                    "loaded",
                    "bool",
                    "True: the verdict on the postings that are loaded. False: the verdict on a later reading that was "
                    "refused; the postings are those of before.",
                ),
                Column(
                    "books_off_by",
                    "money",
                    "In the row for the window as a whole: all balances of the books at its end together, raw; 0 "
                    "unless vouchers do not balance. Null if it was not worked out.",
                ),
            ),
        ),
        Table(
            "loads",
            "One attempt to load one window, kept for good; key `load_id`, `tenant`, `month`.",
            (
                _LOAD_ID,
                _TENANT,
                _MONTH,
                _required("started_at", "time", "When reading began."),
                _required("finished_at", "time", "When the verdict was known."),
                _required("rows", "int64", "Postings that were read; those that are loaded, if none was read."),
                Column("rows_before", "int64", "Postings that were loaded before."),
                Column("announced", "int64", "Postings that the service announced."),
                _required("verdict", "text", "Verdict on the window, as in `proofs`."),
                _required("loaded", "bool", "Whether what was read is what is loaded since."),
                Column("attempts", "int32", "How often the window was read, 1 unless the books moved."),
                Column("calls", "int32", "Requests sent for the window."),
                Column("seconds", "float64", "Duration in seconds."),
                Column("run", "text", "Run that did it, as the caller names it."),
                Column("provider_version", "text", "Version of this package."),
            ),
        ),
        Table(
            "changes",
            "One voucher that a load found to be another than before, kept for good; key `load_id`, `tenant`, `month`, "
            "`module`, `voucher_id`. The first load of a month writes none, and a month that has not changed has none.",
            (
                _LOAD_ID,
                _TENANT,
                _MONTH,
                Column("module", "text", "Where the voucher comes from, as in `postings`."),
                Column("voucher_id", "int64", "The voucher, as in `postings`."),
                Column("reference", "text", "Its reference; of a voucher that was removed, the one that it had."),
                _required(
                    "change",
                    "text",
                    "`added`: it was not in this month. `removed`: it is in this month no more. `amended`: it says "
                    "something else. `reposted`: it was saved again and says the same.",
                ),
                _required("lines_before", "int32", "Its lines in this month before, 0 if it was added."),
                _required("lines_after", "int32", "Its lines in this month since, 0 if it was removed."),
                _required("debit_before", "money", "Sum of the debits of these lines before. Never negative."),
                _required("debit_after", "money", "Sum of the debits of these lines since. Never negative."),
            ),
        ),
    )
}

#: In a warehouse with history, `postings` has this column as well.
VALID_FROM = Column("valid_from", "time", "When a line of this content was first read; null if that is not known.")

#: Superseded postings; kept on request, so not a table that every warehouse has.
HISTORY = Table(
    "postings_history",
    "One posting line as it stood from `valid_from` until `valid_to`, when a load found the books without it.",
    (
        # A required column of a later contract is absent in what was loaded before.
        *(replace(column, nullable=True) for column in TABLES["postings"].columns),
        VALID_FROM,
        _required("valid_to", "time", "When it was found to have vanished or changed."),
        _required("superseded_by", "text", "Load that found it; leads to `loads`."),
    ),
)

#: Tables that a database has for the provider itself. The last column of each is when the row was written.
PROVIDER_TABLES = {
    table.name: table
    for table in (
        Table(
            "contract",
            "The version of the column contract and of the views.",
            (
                _required("version", "int32", "Version of the column contract."),
                _required("views", "text", "Version of the views."),
                _required("written_at", "time", "When it was written."),
            ),
        ),
        Table(
            "conventions",
            "What is known of the signs of a tenant's balances.",
            (
                _required("tenant", "text", "Tenant."),
                _required("convention", "text", "JSON."),
                _required("saved_at", "time", "When it was saved."),
            ),
        ),
    )
}
