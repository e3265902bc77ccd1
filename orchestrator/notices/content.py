"""What is said of a request outside of the pages: never its arguments, never a link that does anything."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from agents.models import Approval, Delivery
from agents.words import Occasion
from orchestrator.conf import notice_settings

HEADLINES = {
    Occasion.ASKED: "Waits for a decision",
    Occasion.ASSIGNED: "Waits for you",
    Occasion.REMINDED: "Still waits for a decision",
    Occasion.ESCALATED: "Was escalated to you",
    Occasion.NEARLY_DUE: "Its time is nearly over",
    Occasion.EXPIRED: "Its time ran out",
    Occasion.DECIDED: "Was decided",
    Occasion.TEST: "A test",
}
_LONGEST = 120  # characters of a title outside of the pages


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person is told of one occasion. `tag` is the same wherever it is told."""

    headline: str
    title: str
    tool: str
    risk: str
    mission: str
    project: str
    deadline: datetime | None
    link: str
    tag: str

    @property
    def line(self) -> str:
        """In one line, below its title."""
        return ", ".join(part for part in (self.tool, f"{self.risk} risk", self.mission, self.project) if part)


def line(text: str, longest: int = _LONGEST) -> str:
    """Text that an agent wrote, as one line without anything that is not to be seen, cut."""
    shown = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def notice(approval: Approval, occasion: Occasion, detail: dict[str, Any]) -> Notice:
    """What is said of an occasion. The request has its mission and project at hand."""
    headline = HEADLINES[occasion]
    if occasion is Occasion.DECIDED:
        headline = f"Was {line(str(detail.get('status', 'decided')))}"
    return Notice(
        headline,
        line(approval.title),
        line(approval.tool_name, 60),
        approval.risk,
        line(approval.session.root.name, 60),
        line(approval.project.name, 60),
        approval.deadline_at,
        address_of(approval.pk),
        f"{approval.pk}:{occasion}",
    )


def of(delivery: Delivery) -> Notice:
    """What a delivery to a person says. Raises ValueError for one that is about no request."""
    if delivery.approval is None:
        raise ValueError("A test tells no person anything.")
    return notice(delivery.approval, Occasion(delivery.occasion), delivery.detail)


def address_of(approval_id: UUID) -> str:
    """The page of a request. It shows, and decides nothing."""
    return f"{notice_settings().site}/approvals/{approval_id}/"
