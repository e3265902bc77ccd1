"""Times, sums and states in words."""

import json
from decimal import Decimal
from typing import Any

from django.utils import timezone

from agents.interrupts import APPROVE, EDIT, Form
from agents.lifecycle import ApprovalStatus, Control
from agents.models import Approval
from agents.policies.policy import AtDeadline
from agents.selectors.missions import MissionLine
from agents.selectors.standing import Standing

STANDINGS = {
    Standing.HUMAN: "Needs a human",
    Standing.RUNNING: "Running",
    Standing.WAITING: "Waiting",
    Standing.QUEUED: "Queued",
    Standing.PAUSED: "Paused",
    Standing.FAILED: "Failed",
    Standing.CANCELLED: "Cancelled",
    Standing.DONE: "Done",
}
STOPPING = {Control.PAUSE: "Pausing", Control.CANCEL: "Stopping"}
VERDICTS = {
    ApprovalStatus.PENDING: "Waits for a decision",
    ApprovalStatus.APPROVED: "Approved",
    ApprovalStatus.REJECTED: "Rejected",
    ApprovalStatus.ANSWERED: "Answered",
    ApprovalStatus.WITHDRAWN: "Withdrawn",
}
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def as_clock(seconds: float) -> str:
    """Seconds as 04:51 or 1:04:51."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def in_words(seconds: float) -> str:
    """Seconds as 12 s, 4 min, 3 h, 5 days."""
    whole = max(0, int(seconds))
    for limit, unit_size, unit in ((60, 1, "s"), (3600, 60, "min"), (172_800, 3600, "h")):
        if whole < limit:
            return f"{whole // unit_size} {unit}"
    return f"{whole // 86_400} days"


def spelled(number: int) -> str:
    """A number in a sentence: small ones as words."""
    return _NUMBERS[number] if number < len(_NUMBERS) else amount(number)


def amount(number: int) -> str:
    """A large number, short: 940, 21.4 k, 6.1 M."""
    if number >= 1_000_000:
        return f"{number / 1_000_000:.1f} M"
    return f"{number / 1000:.1f} k" if number >= 10_000 else f"{number:,}".replace(",", " ")


def dollars(sum_: Decimal) -> str:
    """A sum of money; small ones are not rounded to nothing."""
    return f"${sum_:,.2f}" if sum_ >= Decimal("0.01") or not sum_ else f"${sum_:.4f}"


def size(count: int) -> str:
    """Bytes, short: 340 B, 6.2 KB, 1.4 MB."""
    for limit, unit in ((1024 * 1024, "MB"), (1024, "KB")):
        if count >= limit:
            return f"{count / limit:.1f} {unit}"
    return f"{count} B"


def human(count: int) -> str:
    """How many agents need a person."""
    return f"{count} need{'s' if count == 1 else ''} a human"


def progress(line: MissionLine) -> str:
    """How far a mission is."""
    held = f", {line.human} held by a decision" if line.human else ""
    failed = f", {line.failed} failed or stopped" if line.failed else ""
    return f"{line.done} of {line.agents} done{held}{failed}"


def edits(approval: Approval) -> int:
    """How many arguments were edited."""
    return sum(approval.proposed.get(name) != value for name, value in (approval.edited or {}).items())


def verdict(approval: Approval) -> str:
    """A decision, with the number of edited arguments."""
    word = VERDICTS[ApprovalStatus(approval.status)]
    count = edits(approval)
    return f"{word} with {count} edit{'s' if count > 1 else ''}" if count else word


_AT_DEADLINE = {
    AtDeadline.REJECT: "it is rejected",
    AtDeadline.APPROVE: "it is approved",
    AtDeadline.ESCALATE: "others are asked",
}


def at_deadline(approval: Approval) -> str:
    """What becomes of a request that nobody decides in time."""
    return _AT_DEADLINE[AtDeadline(approval.terms.get("at_deadline", AtDeadline.REJECT))]


def is_claimed(approval: Approval) -> bool:
    """Is somebody about to decide it?"""
    return approval.claimed_until is not None and approval.claimed_until > timezone.now()


def assigned(approval: Approval) -> str:
    """For whom it is."""
    return approval.assigned_to.get_username() if approval.assigned_to else f"all {approval.assigned_role}s"


def is_fixed(approval: Approval) -> bool:
    """Can nobody change its arguments?"""
    return approval.form != Form.OPEN and EDIT not in approval.allowed


def only_edited(approval: Approval) -> bool:
    """Does its graph take it with other arguments only?"""
    return EDIT in approval.allowed and APPROVE not in approval.allowed


def as_text(value: Any) -> str:
    """A JSON value for a person: texts as they are."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def subject(approval: Approval) -> str:
    """What a request is about, where its arguments name it."""
    arguments = approval.effective or approval.proposed
    named = arguments.get("file_name") or arguments.get("name") or arguments.get("title") or ""
    return str(named)[:80]
