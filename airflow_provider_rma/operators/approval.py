"""Have a person approve a plan before it is carried out."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.hooks.storage import open_plan
from airflow_provider_rma.operators.base import airflow_errors
from airflow_provider_rma.operators.parameters import CheckedMixin, check_parameters, check_rendered

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_rma.billing.pages.statistics import PlanStatistics


class RunMyAccountsApprovePlanOperator(CheckedMixin, ApprovalOperator):
    """Show a plan to a person and wait for approval, without a worker slot.

    What the person sees is made from the plan file itself, whose hash is checked before. Path and hash are kept before
    the task waits; when it goes on it reads these only. The task that made the plan may be cleared meanwhile and make
    another one: what is approved stays the plan that was shown.

    .. seealso:: :doc:`/approval`

    :param plan: path of the plan, ``plan.output["plan"]`` of the task that made it. (templated)
    :param plan_hash: SHA-256 of the plan, ``plan.output["plan_hash"]``. (templated)
    :param subject: the question; by default how many documents would be booked, and the sum. (templated)
    :param body: text (Markdown) below it; by default the plan's summary: counts, totals and numbers. (templated)
    :returns: what :class:`~airflow.providers.standard.operators.hitl.ApprovalOperator` returns, and ``plan``,
        ``plan_hash`` and ``approver`` (name of the person, empty if nobody answered in time and a default was taken).
        Each is an XCom of its own as well, for ``plan``, ``plan_hash`` and ``approver`` of
        :class:`~airflow_provider_rma.operators.billing.RunMyAccountsCreateInvoicesOperator`.

    All other parameters are those of ``ApprovalOperator``, e.g. ``assigned_users``, ``notifiers``,
    ``response_timeout`` and ``fail_on_reject``.
    """

    template_fields: Sequence[str] = (*ApprovalOperator.template_fields, "plan", "plan_hash")
    ui_color = "#e8f1ea"

    def __init__(self, *, plan: str, plan_hash: str, subject: str = "", body: str | None = None, **kwargs: Any) -> None:
        # Each returned value is an XCom of its own as well, so that `task.output["plan"]` works downstream.
        super().__init__(**{"multiple_outputs": True, "subject": subject, "body": body, **kwargs})
        self.plan = plan
        self.plan_hash = plan_hash
        # Plan and hash cannot be left out.
        check_parameters(self, plan=plan or "", plan_hash=plan_hash or "", subject=subject, body=body)

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Render the first time only.

        Airflow renders again when the task goes on, and the plan task may have another plan by then, or none, on which
        a template would fail.
        """
        if not (shown := self._pull_shown(context["ti"])):
            super().render_template_fields(context, jinja_env)
            return
        self.plan, self.plan_hash = shown["plan"], shown["plan_hash"]

    def execute(self, context: Context) -> Any:
        """Keep path and hash of the plan, then ask and wait."""
        ti: Any = context["ti"]
        with airflow_errors(ti):
            check_rendered(self)
            statistics = self._read_plan()
        subject, body = _describe(statistics)
        self.subject, self.body = self.subject or subject, self.body or body
        # Before the wait, whichever way Airflow waits: by deferring (3.1, 3.2), or by awaiting input (3.3).
        ti.xcom_push(key="plan", value=str(self.plan))
        ti.xcom_push(key="plan_hash", value=self.plan_hash)
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Return the answer with the plan that it is about."""
        ti: Any = context["ti"]
        with airflow_errors(ti):
            shown = self._pull_shown(ti)
            if not shown:
                raise ConfigurationError(
                    "plan: which plan was shown is not known any more; nothing was approved",
                    advice="Clear this task: the plan is shown again.",
                )
        self.plan, self.plan_hash = shown["plan"], shown["plan_hash"]
        answer = super().execute_complete(context, event)
        # A default that was taken after the time had run out has no person behind it.
        person = answer.get("responded_by_user") or {}
        self.log.info("Plan %s, SHA-256 %s: %s.", self.plan, self.plan_hash, ", ".join(answer["chosen_options"]))
        return {**answer, **shown, "approver": str(person.get("name") or "")}

    def _read_plan(self) -> PlanStatistics:
        """Read the plan, and see that it is the one that the hash names.

        :raises ConfigurationError: if it is not, or there is none.
        """
        from airflow_provider_rma.billing.pages.statistics import gather_plan_statistics
        from airflow_provider_rma.billing.plan_file import PlanReader

        for name in ("plan", "plan_hash"):
            if getattr(self, name) is None:
                raise ConfigurationError(f"{name}: the task that it comes from has left none", advice="Plan again.")
        with open_plan(self.plan) as stream:
            reader = PlanReader(stream)
            statistics = gather_plan_statistics(reader.header, reader.lines(), plan_hash=self.plan_hash)
        if reader.digest != self.plan_hash:
            raise ConfigurationError("plan: the file is not the one that plan_hash names", advice="Plan again.")
        return statistics

    def _pull_shown(self, ti: Any) -> dict[str, str]:
        """Return path and hash of the plan that was shown, nothing if none was.

        A task that begins anew has shown none: Airflow has removed the XComs of the try before.
        """
        names = ("plan", "plan_hash")
        shown = {name: ti.xcom_pull(task_ids=self.task_id, key=name, map_indexes=ti.map_index) for name in names}
        return shown if all(shown.values()) else {}


def _describe(plan: PlanStatistics) -> tuple[str, str]:
    """Return subject and body of the question. Airflow keeps both in its database: counts, totals and numbers only."""
    from airflow_provider_rma.billing.outcomes import CREATE
    from airflow_provider_rma.billing.pages.markdown import render_plan_markdown
    from airflow_provider_rma.formatting import format_amount, format_count, format_quantity

    count, total = plan.header.counts.get(CREATE, 0), sum(plan.header.counts.values())
    documents = format_quantity(total, "document")
    documents = documents if count == total else f"{format_count(count)} of {documents}"
    subject = f"Book {documents} in Run my Accounts, CHF {format_amount(Decimal(plan.header.amount))}?"
    return subject, render_plan_markdown(plan)
