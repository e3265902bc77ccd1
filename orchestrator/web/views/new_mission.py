"""Starting a mission: an objective, sources, a model. Files are staged as soon as they are chosen.

The address names a draft, so a reload keeps what was staged. Everything works as one plain form too.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_http_methods

from agents import access
from agents.errors import InvalidInput
from agents.ids import derived_id
from agents.models import AgentSession
from agents.roles import Role
from memory.documents import ACCEPTED
from memory.errors import FolderRefused, SourceRefused
from memory.models import MissionSource
from orchestrator.actions import missions, sources
from orchestrator.conf import model_settings, source_limits
from orchestrator.env import BASE_DIR
from orchestrator.runtime.brains import EXTRACTIVE
from orchestrator.web import limits
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
    limits: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    ignored: tuple[str, ...] = ()

    @property
    def chosen_model(self) -> str:
        """The model's name, empty for none."""
        return self.model.strip() if self.choice == OTHER else self.choice


@require_http_methods(["GET", "HEAD", "POST"])
def show(request: HttpRequest) -> HttpResponse:
    """The form; what it does is named by the button that sent it."""
    draft = request.GET.get("draft", "")
    if request.method != "POST":
        chrome = enter(request)
        access.project_for(person(request), chrome.project.pk, role=Role.OPERATOR)
        if not draft or ("r" not in request.GET and _mission_of(request, parse_id(draft))):
            return redirect(f"{reverse('new_mission')}?draft={uuid4()}")
        return _page(request, chrome, Form(parse_id(draft)))
    # the project that the form was opened in: another tab may have gone over to another one
    project = access.project_for(person(request), parse_id(request.POST.get("project", "")), role=Role.OPERATOR)
    chrome = enter(request, project.pk)
    form = _sent(request, parse_id(draft))
    act = request.POST.get("do", "start")
    _stage(request, chrome, form, act)
    return _start(request, chrome, form) if act == "start" else _page(request, chrome, form)


def _sent(request: HttpRequest, draft_id: UUID) -> Form:
    return Form(
        draft_id,
        objective=request.POST.get("objective", ""),
        choice=request.POST.get("choice", EXTRACTIVE),
        model=request.POST.get("model", ""),
        folder=request.POST.get("folder", "").strip(),
        limits={name: request.POST.get(name, "") for name in limits.NAMES},
    )


def _stage(request: HttpRequest, chrome: Chrome, form: Form, act: str) -> None:
    """Take what came with the form: files at any button, a folder at its own, at the example's, and at the start."""
    user, project = person(request), chrome.project.pk
    for file in request.FILES.getlist("files"):
        try:
            sources.stage_file(user, project, draft_id=form.draft_id, file=file)
        except SourceRefused as error:
            form.refusals.append(Refusal(file.name or "unnamed", str(error)))
    if act.startswith("drop:"):
        source_id = parse_id(act.removeprefix("drop:"))
        sources.unstage(user, project, draft_id=form.draft_id, source_id=source_id)
    elif act == "example":
        _stage_folder(request, chrome, form, str(example()))
    elif act == "folder" or (act == "start" and form.folder):
        _stage_folder(request, chrome, form, form.folder)


def _stage_folder(request: HttpRequest, chrome: Chrome, form: Form, folder: str) -> None:
    if not folder:
        form.errors["folder"] = "Name a folder first."
        return
    try:
        outcome = sources.stage_folder(person(request), chrome.project.pk, draft_id=form.draft_id, folder=folder)
    except FolderRefused as error:
        form.errors["folder"] = str(error)
        return
    form.refusals += [Refusal(error.data.get("name", folder), str(error)) for error in outcome.refused]
    form.ignored = outcome.ignored
    if not outcome.staged and not outcome.refused:
        form.errors["folder"] = f"There is no file of a type that can be read in {folder}."
    else:
        form.folder = ""


def example() -> Path | None:
    """The folder that is offered as an example: the project's own documents, if missions may read them."""
    return next((root for root in source_limits().roots if root == BASE_DIR / "docs" and root.is_dir()), None)


def _start(request: HttpRequest, chrome: Chrome, form: Form) -> HttpResponse:
    earlier = _mission_of(request, form.draft_id)
    if earlier and earlier.goal != form.objective.strip():
        form.draft_id = uuid4()
        form.errors["sources"] = f"The sources of this form belong to “{earlier.name}” now. Add them again."
    if form.refusals:
        form.errors["sources"] = "Some files were not taken. Start again to go without them."
    if form.choice == OTHER and not form.chosen_model:
        form.errors["model"] = "Name a model, as provider:name, or choose to go without one."
    if not form.errors:
        try:
            given, minutes = limits.read(form.limits)
            mission = missions.start(
                person(request),
                chrome.project.pk,
                draft_id=form.draft_id,
                objective=form.objective,
                model=form.chosen_model,
                limits=given,
                minutes=minutes,
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
    allowed = source_limits()
    context: dict[str, Any] = {
        "section": "missions",
        "form": form,
        "staged": SimpleLazyObject(lambda: list(MissionSource.objects.staged(form.draft_id, person(request)))),
        "accepted": ACCEPTED,
        "max_bytes": allowed.max_bytes,
        "roots": allowed.roots,
        "example": example(),
        "limit_fields": limits.fields(form.limits, form.errors),
        "limit_errors": form.errors,
        "deadline_given": form.limits.get("deadline", ""),
        "has_limits": any(form.limits.values()),
        "configured": model_settings().name,
        "other": OTHER,
        "extractive": EXTRACTIVE,
    }
    return render_page(request, "missions/new.html", context, partial="sources", status=status)
