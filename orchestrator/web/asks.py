"""What an agent asks people, as a card that its mission's page and its own show: the same piece on both."""

from dataclasses import dataclass
from uuid import UUID

from agents.ids import new_id
from agents.interrupts import APPROVE, REJECT, Form
from agents.lifecycle import Risk
from agents.models import AgentSession, Approval
from agents.selectors import approvals as selectors
from orchestrator.actions import approvals
from orchestrator.web import words
from orchestrator.web.chrome import Chrome

MOST = 5  # of one agent's requests that are shown
SHOWN = 4  # arguments of each


@dataclass(frozen=True, slots=True)
class Ask:
    """An open request. `obstacle`: why the person may not decide it; `key` names the press of its buttons."""

    approval: Approval
    obstacle: str
    key: UUID

    @property
    def arguments(self) -> list[tuple[str, str]]:
        """The first of the proposed arguments, as texts."""
        return [(name, words.as_text(value)) for name, value in list(self.approval.proposed.items())[:SHOWN]]

    @property
    def more(self) -> int:
        """How many arguments are not shown."""
        return max(len(self.approval.proposed) - SHOWN, 0)

    @property
    def may_approve(self) -> bool:
        """Can it be approved from the card? What is risky, or needs an answer, is read on its page first."""
        asked = self.approval
        return not self.obstacle and APPROVE in asked.allowed and asked.risk != Risk.HIGH and asked.form != Form.OPEN

    @property
    def may_reject(self) -> bool:
        """Can it be rejected from the card?"""
        return not self.obstacle and REJECT in self.approval.allowed


def of(session: AgentSession, chrome: Chrome) -> list[Ask]:
    """The open requests of an agent, for whom the page is."""
    found = selectors.pending(session.project_id).filter(session=session)[:MOST]
    return [Ask(one, approvals.obstacle(chrome.user, one), new_id()) for one in found]
