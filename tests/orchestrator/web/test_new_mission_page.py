"""Starting a mission: bad input is said beside its cause, and nothing that was given is lost."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from agents.models import AgentSession
from memory.models import MissionSource
from orchestrator.conf import source_limits
from orchestrator.env import BASE_DIR
from tests.factories import make_project
from tests.memory.pdf_files import pdf

pytestmark = pytest.mark.django_db
NOTES = b"# Notes\n\nArgyrodites lose sulfur as soon as they touch humid air.\n"


def upload(name: str, content: bytes = NOTES) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


class Form:
    """The page in a browser without script: every button sends the whole form."""

    def __init__(self, client, project):
        self.client, self.project = client, project
        self.url = client.get("/missions/new/")["Location"]
        self.draft = parse_qs(urlsplit(self.url).query)["draft"][0]

    def send(self, do="start", *, files=(), **fields):
        form = {"project": str(self.project.pk), "objective": "How fast?", "choice": "", "do": do, "files": list(files)}
        return self.client.post(self.url, {**form, **fields})

    @property
    def staged(self) -> list[str]:
        return list(MissionSource.objects.filter(draft_id=self.draft).order_by("name").values_list("name", flat=True))


@pytest.fixture
def form(page, project):
    return Form(page, project)


def test_a_draft_has_an_address_so_a_reload_keeps_its_sources(page, form):
    form.send("stage", files=[upload("a.md")])
    assert "a.md" in page.get(form.url).content.decode()


def test_the_whole_way_starts_a_mission_on_its_sources(form, approver):
    answer = form.send(files=[upload("a.md"), upload("b.txt", b"Other words.")], objective=" How fast? ")
    mission = AgentSession.objects.get()
    assert answer["Location"] == f"/missions/{mission.pk}/"
    assert (mission.goal, mission.user, mission.status) == ("How fast?", approver, "queued")
    assert mission.metadata["model"] == ""
    assert sorted(mission.sources.values_list("name", flat=True)) == ["a.md", "b.txt"]
    assert form.staged == []


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (("a.bin", bytes(range(256))), "cannot be read"),
        (("a.md", bytes(range(256))), "a.md"),
        (("empty.md", b""), "empty"),
        (("blank.txt", b" \n "), "empty"),
        (("broken.pdf", b"%PDF-1.4 nothing"), "PDF"),
        (("scan.pdf", pdf([])), "has no text"),
        (("run.exe", b"MZ"), "cannot be read"),
    ],
)
def test_a_bad_file_is_refused_beside_its_name_and_the_good_ones_are_kept(form, file, words):
    answer = form.send("stage", files=[upload("good.md"), upload(*file)])
    refused = re.findall(r'<li data-s="failed".*?</li>', answer.content.decode(), re.S)
    assert len(refused) == 1
    assert file[0] in refused[0] and words in refused[0]
    assert form.staged == ["good.md"]


def test_a_file_that_is_too_large_is_refused_by_its_size(form):
    answer = form.send(
        "stage", files=[upload("big.md", b"word " * (source_limits().max_bytes // 5 + 1)), upload("a.md")]
    )
    assert re.search(r"big\.md has 20\.0 MB; at most 20\.0 MB", answer.content.decode())
    assert form.staged == ["a.md"]


def test_starting_with_a_bad_file_starts_nothing_and_keeps_every_field(form):
    answer = form.send(files=[upload("a.md"), upload("b.exe")], objective="Keep <me>", choice="other", model="openai:x")
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "Keep &lt;me&gt;" in text
    assert 'value="openai:x"' in text
    assert re.search(r'value="other" checked', text)
    assert "Some files were not taken" in text
    assert form.staged == ["a.md"]
    assert not AgentSession.objects.exists()


@pytest.mark.parametrize("objective", ["", "   \n", "x" * 4001])
def test_a_bad_objective_is_said_beside_it_and_sources_are_kept(form, objective):
    answer = form.send(files=[upload("a.md")], objective=objective)
    assert answer.status_code == 422
    assert 'aria-describedby="objective-error"' in answer.content.decode()
    assert form.staged == ["a.md"]


def test_no_sources_are_said_beside_the_sources(form):
    answer = form.send()
    assert answer.status_code == 422
    assert "Add at least one source" in answer.content.decode()


@pytest.mark.parametrize(
    ("model", "words"), [("", "Name a model"), ("nonsense", "provider"), ("nosuch:model", "nosuch")]
)
def test_a_model_that_cannot_be_is_said_beside_it(form, model, words):
    answer = form.send(files=[upload("a.md")], choice="other", model=model)
    error = re.search(r'id="model-error".*?</p>', answer.content.decode(), re.S)
    assert error and words in error[0]
    assert not AgentSession.objects.exists()


@pytest.mark.parametrize("folder", ["/etc", "../..", "/nowhere", "docs\0", "x" * 5000])
def test_a_folder_outside_is_refused_beside_the_field_and_kept_there(form, folder):
    answer = form.send("folder", folder=folder)
    text = answer.content.decode()
    assert re.search(r'id="folder"[^>]*aria-invalid="true"', text)
    assert "no such folder" in text
    assert form.staged == []


def test_a_folder_needs_a_name(form):
    assert "Name a folder first" in form.send("folder", folder=" ").content.decode()


def test_the_projects_own_documents_are_offered_as_an_example(page, form):
    assert str(BASE_DIR / "docs") in page.get(form.url).content.decode()
    form.send("example")
    assert "docs/architecture.md" in form.staged


def test_a_source_can_be_taken_out_again(form):
    form.send("stage", files=[upload("a.md"), upload("b.md", b"Other words here.")])
    source = MissionSource.objects.get(name="a.md")
    form.send(f"drop:{source.pk}")
    assert form.staged == ["b.md"]
    assert form.send("drop:nonsense").status_code == 404


def test_the_same_file_stands_once(form):
    form.send("stage", files=[upload("a.md"), upload("copy.md")])
    form.send("stage", files=[upload("a.md")])
    assert form.staged == ["a.md"]


def test_htmx_gets_the_sources_only(page, project, form):
    data = {"project": str(project.pk), "do": "stage", "files": [upload("a.md")]}
    answer = page.post(form.url, data, headers={"HX-Request": "true", "HX-Target": "sources"})
    text = answer.content.decode().strip()
    assert text.startswith('<section class="panel" id="sources"')
    assert "a.md" in text


def test_a_double_click_starts_one_mission(form):
    form.send("stage", files=[upload("a.md")])
    assert form.send()["Location"] == form.send()["Location"]
    assert AgentSession.objects.count() == 1


def test_going_back_and_asking_something_else_does_not_lead_to_the_first_mission(page, form):
    form.send(files=[upload("a.md")], objective="First")
    answer = form.send(files=[], objective="Second")
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "Second" in text
    assert "belong to “First” now" in text
    assert form.draft not in re.search(r'id="new" method="post".*?>', text)[0]
    assert page.get(form.url)["Location"] != form.url


def test_a_region_of_a_form_that_has_just_started_leads_nowhere_else(page, form):
    """The live page may ask for it while the browser is on its way to the mission."""
    form.send(files=[upload("a.md")])
    assert page.get(f"{form.url}&r=rail-missions").status_code == 200


def test_a_form_goes_to_the_project_that_it_was_opened_in(page, project, approver, form):
    later = make_project()
    later.memberships.create(user=approver, role="admin")
    page.post("/project/", {"project": str(later.pk)})  # in another tab
    form.send(files=[upload("a.md")])
    mission = AgentSession.objects.get()
    assert mission.project == project
    assert set(mission.sources.values_list("project", flat=True)) == {project.pk}


def test_a_form_of_a_foreign_project_is_not_taken(page, form):
    assert form.send(files=[upload("a.md")], project=str(make_project().pk)).status_code == 404
    assert not MissionSource.objects.exists()


def test_a_draft_of_somebody_else_cannot_be_used(form, project, viewer_page):
    from agents.roles import Role
    from tests.factories import make_member
    from tests.orchestrator.web.conftest import signed_in

    form.send("stage", files=[upload("a.md")])
    other = Form(signed_in(make_member(project, Role.OPERATOR)), project)
    other.url = form.url
    assert "a.md" not in other.send("stage").content.decode()
    assert other.send().status_code == 422
    assert other.send("stage", files=[upload("b.md", b"More words.")]).status_code == 404
    assert form.staged == ["a.md"]
