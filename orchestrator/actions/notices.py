"""What a person wants to be told, and where."""

from collections.abc import Collection
from uuid import UUID

from agents import access
from agents.errors import InvalidInput
from agents.events import causes
from agents.models import PushSubscription, User
from agents.services import notice_choices, notices
from agents.services.notice_choices import Choice
from orchestrator.conf import notice_settings
from orchestrator.notices import content, mailing, pushing


@causes.act()
def choose(user: User, project_id: UUID, chosen: Collection[Choice], *, address: str) -> None:
    """Be told of exactly this in a project; `address` is where mail goes.

    Raises NotFound, InvalidInput with a message for each bad field.
    """
    access.project_for(user, project_id)
    notice_choices.choose(user, project_id, chosen, address=address)


def address_of(user: User) -> str:
    """Where mail to a person goes; empty: nowhere."""
    return notice_choices.address_of(user)


def has_mail() -> bool:
    """Is there a mail server?"""
    return mailing.is_on()


def push_key() -> str:
    """What a browser subscribes with."""
    return pushing.public_key()


@causes.act()
def subscribe(user: User, *, endpoint: str, key: str, auth: str) -> PushSubscription:
    """Tell this browser of what the person chose, in all projects. Raises InvalidInput."""
    if not (endpoint.startswith("https://") or notice_settings().is_private_allowed):
        raise InvalidInput(fields={"endpoint": "This is no push service."})
    return notice_choices.subscribe(user, endpoint=endpoint, key=key, auth=auth)


@causes.act()
def unsubscribe(user: User, subscription_id: UUID) -> bool:
    """Tell this browser nothing any more; False if that was so already."""
    return notice_choices.unsubscribe(user, subscription_id)


def told_in_page(user: User, approval_id: UUID, event_type: str) -> dict[str, str] | None:
    """What an open page shows of the latest event of a type; None: nothing. Raises NotFound."""
    approval = access.approval_for(user, approval_id)
    happening = notices.told_in_page(user, approval, event_type)
    if happening is None:
        return None
    return pushing.shown(content.notice(approval, happening.occasion, happening.detail))
