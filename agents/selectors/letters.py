"""Dead letters, as a person may see them."""

from django.db.models import Q, QuerySet

from agents.access import is_admin
from agents.lifecycle import LetterStatus
from agents.models import DeadLetter, User


def of_person(user: User) -> QuerySet[DeadLetter]:
    """Letters of the person's projects, newest first; to admins, those of the installation too."""
    mine = Q(project__memberships__user=user)
    found = DeadLetter.objects.filter(mine | Q(project__isnull=True) if is_admin(user) else mine)
    return found.select_related("project", "session", "settled_by").order_by("-last_at")


def waiting(user: User) -> QuerySet[DeadLetter]:
    """Those that nobody has replayed or discarded."""
    return of_person(user).filter(status=LetterStatus.OPEN)


def may_see_trace(user: User, letter: DeadLetter) -> bool:
    """Traces are for admins of the letter's project: they show how the installation is built."""
    return is_admin(user, letter.project_id)
