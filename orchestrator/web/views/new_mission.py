"""Starting a mission: an objective, sources, a model. Files are staged as soon as they are chosen.

The address names a draft, so a reload keeps what was staged. Everything works as one plain form too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_http_methods

from agents.errors import InvalidInput
from agents.ids import derived_id
from agents.models import AgentSession
from memory.documents import ACCEPTED
from memory.errors import SourceRefused
from memory.services import sources as staged_sources
from orchestrator.actions import missions, sources
from orchestrator.conf import model_settings, source_limits
from orchestrator.env import BASE_DIR
from orchestrator.runtime.brains import EXTRACTIVE
from orchestrator.web.chrome import Chrome, enter, person
from orchestrator.web.forms import parse_id
from orchestrator.web.render import render_page

OTHER = "other"  # the choice of a model that is typed


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that was not taken, and why."""

    name: str
    why: str


@dataclass(slots=True)
class Form:
    """The form as it was sent, and what is wrong with it."""

    draft_id: UUID
    objective: str = ""
    choice: str = EXTRACTIVE
    model: str = ""
    folder: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def chosen_model(self) -> str:
        """The model's name, empty for none."""
        return self.model.strip() if self.choice == OTHER else self.choice


@require_http_methods(["GET", "HEAD", "POST"])
def show(request: HttpRequest) -> HttpResponse:
    """The form; what it does is named by the button that sent it."""
    chrome = enter(request)
    draft = request.GET.get("draft", "")
    if not draft or (request.method != "POST" and _mission_of(request, parse_id(draft))):
        return redirect(f"{reverse('new_mission')}?draft={uuid4()}")
    form = Form(parse_id(draft))
    if request.method != "POST":
        return _page(request, chrome, form)
    _read(request, form)
    act = request.POST.get("do", "start")
    if act == "start":
        return _start(request, chrome, form)
    if act.startswith("drop:"):
        sources.drop(person(request), form.draft_id, parse_id(act.removeprefix("drop:")))
    return _page(request, chrome, form)


def _read(request: HttpRequest, form: Form) -> None:
    """Take over the fields, and stage whatever files and folder came with them."""
    form.objective = request.POST.get("objective", "")
    form.choice = request.POST.get("choice", EXTRACTIVE)
    form.model = request.POST.get("model", "")
    form.folder = request.POST.get("folder", "").strip()
    project = enter(request).project.pk
    _stage_files(request, project, form, request.FILES.getlist("files"))
    act = request.POST.get("do", "start")
    if act == "example":
        _stage_folder(request, project, form, str(example()))
    elif form.folder and act in ("folder", "start"):
        _stage_folder(request, project, form, form.folder)


def _stage_files(request: HttpRequest, project: UUID, form: Form, files: Iterable[UploadedFile]) -> None:
    for file in files:
        name = file.name or "unnamed"
        try:
            sources.stage_file(person(request), project, draft_id=form.draft_id, name=name, file=file)
        except SourceRefused as error:
            form.refusals.append(Refusal(name, str(error)))


def _stage_folder(request: HttpRequest, project: UUID, form: Form, folder: str) -> None:
    try:
        refused = sources.stage_folder(person(request), project, draft_id=form.draft_id, folder=folder)
    except InvalidInput as error:
        form.errors |= error.data.get("fields") or {"folder": str(error)}
    else:
        form.refusals += [Refusal(name, why) for name, why in refused]
        form.folder = ""


def example() -> Path | None:
    """The folder that is offered as an example: the project's own documents, if missions may read them."""
    return next((root for root in source_limits().roots if root == BASE_DIR / "docs" and root.is_dir()), None)


def _start(request: HttpRequest, chrome: Chrome, form: Form) -> HttpResponse:
    earlier = _mission_of(request, form.draft_id)
    if earlier and earlier.goal != form.objective.strip():
        form.draft_id = uuid4()
        form.errors["sources"] = f"The sources of this form belong to “{earlier.name}” now. Add them again."
    if not form.errors and not form.refusals:
        try:
            mission = missions.start(
                person(request),
                chrome.project.pk,
                draft_id=form.draft_id,
                objective=form.objective,
                model=form.chosen_model,
            )
        except InvalidInput as error:
            form.errors |= error.data.get("fields") or {"": str(error)}
        else:
            messages.success(request, f"Started: {mission.name}")
            return redirect("mission", mission.pk)
    return _page(request, chrome, form, status=422)


def _mission_of(request: HttpRequest, draft_id: UUID) -> AgentSession | None:
    """The mission that a draft has become."""
    return AgentSession.objects.filter(pk=derived_id(draft_id, "mission"), user=person(request)).first()


def _page(request: HttpRequest, chrome: Chrome, form: Form, status: int = 200) -> HttpResponse:
    limits = source_limits()
    context: dict[str, Any] = {
        "section": "missions",
        "form": form,
        "staged": SimpleLazyObject(lambda: list(staged_sources.staged(form.draft_id, user=person(request)))),
        "accepted": ACCEPTED,
        "max_bytes": limits.max_bytes,
        "roots": limits.roots,
        "example": example(),
        "configured": model_settings().name,
        "other": OTHER,
        "extractive": EXTRACTIVE,
    }
    return render_page(request, "missions/new.html", context, partial="sources", status=status)
