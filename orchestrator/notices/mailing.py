"""Mail about requests: what waits for one person, in one message."""

from collections.abc import Sequence
from email.utils import parseaddr
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from agents.ids import derived_id
from agents.models import Delivery
from orchestrator.conf import notice_settings
from orchestrator.notices import content

OFF = "django.core.mail.backends.dummy.EmailBackend"
_LONGEST_SUBJECT = 150


def is_on() -> bool:
    """Is there a mail server?"""
    return bool(settings.EMAIL_BACKEND != OFF)


def message(deliveries: Sequence[Delivery], address: str) -> EmailMultiAlternatives:
    """One mail of what a person is told. Each request stands in it once, with the latest of it."""
    told = list({one.link: one for one in map(content.of, deliveries)}.values())
    subject = f"{told[0].headline}: {told[0].title}" if len(told) == 1 else f"{len(told)} requests: {told[-1].title}"
    context = {"notices": told, "settings_link": f"{notice_settings().site}/notifications/"}
    mail = EmailMultiAlternatives(
        content.line(subject, _LONGEST_SUBJECT),
        render_to_string("notices/mail.txt", context),
        settings.DEFAULT_FROM_EMAIL,
        [address],
        headers={"Message-ID": _message_id([one.pk for one in deliveries]), "Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(render_to_string("notices/mail.html", context), "text/html")
    return mail


def _message_id(ids: Sequence[UUID]) -> str:
    """The same for the same deliveries: mail that is sent twice is one mail to many readers of mail."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    return f"<{derived_id(ids[0], *ids)}@{domain}>"
