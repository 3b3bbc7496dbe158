"""A budget on the project, for an environment that has a billing account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imports.google.billing_budget import (
    BillingBudget,
    BillingBudgetAmount,
    BillingBudgetAmountSpecifiedAmount,
    BillingBudgetBudgetFilter,
    BillingBudgetThresholdRules,
)
from imports.google.provider import GoogleProvider
from infra import names
from infra.bindings import Construct
from infra.settings import BudgetSettings, Environment

ALERT_AT = (0.5, 0.9, 1.0)


class MonthlyBudget(Construct):
    """Tells the billing account's administrators at 50, 90 and 100 % of the amount, and when 100 % is forecast.

    A person's log-in is counted against no project of ours, and the API then answers 403: a provider of its own sends
    the project. Who uses it needs `serviceusage.services.use` there. Source: documentation of `google_billing_budget`.
    """

    def __init__(
        self, scope: Construct, id: str, *, env: Environment, budget: BudgetSettings, after: Sequence[Any] = ()
    ) -> None:
        super().__init__(scope, id)
        provider = GoogleProvider(
            self,
            "google",
            alias="budget",
            project=env.project_id,
            region=env.region,
            user_project_override=True,
            billing_project=env.project_id,
        )
        rules = [BillingBudgetThresholdRules(threshold_percent=share) for share in ALERT_AT]
        rules.append(BillingBudgetThresholdRules(threshold_percent=1.0, spend_basis="FORECASTED_SPEND"))
        BillingBudget(
            self,
            "Default",
            billing_account=budget.billing_account,
            display_name=names.resource(env, "monthly"),
            amount=BillingBudgetAmount(
                specified_amount=BillingBudgetAmountSpecifiedAmount(currency_code="USD", units=str(budget.monthly_usd))
            ),
            budget_filter=BillingBudgetBudgetFilter(
                projects=[f"projects/{env.project_number}"], calendar_period="MONTH"
            ),
            threshold_rules=rules,
            provider=provider,
            depends_on=list(after) or None,
        )
