"""How far a mission's budget is spent."""

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from agents.models import AgentSession, Budget
from agents.services import spending
from agents.services.budgets import NAMES, WARNING, WORDS


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """One thing that is spent: tokens, cost (dollars), seconds, steps, children. `limit` is None without one."""

    name: str
    label: str
    spent: Any
    limit: Any

    @property
    def tone(self) -> str:
        """Is it used up (failed), nearly (human), or neither?"""
        if self.limit is None or self.spent < WARNING * Decimal(self.limit):
            return ""
        return "failed" if self.spent >= self.limit else "human"


def lines(session: AgentSession) -> list[BudgetLine]:
    """What an agent and all below it have spent of its budget. Two queries."""
    budget = Budget.objects.filter(pk=session.pk).first()
    spent = asdict(spending.below(session))
    return [BudgetLine(name, WORDS[name].capitalize(), spent[name], getattr(budget, name, None)) for name in NAMES]
