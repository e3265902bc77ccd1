"""What a page may load, and what of an agent's words reaches a browser."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import get_resolver

from agents.ids import new_id
from agents.models import AgentSession
from agents.services import messages, sessions
from orchestrator.web import markdown
from tests.factories import make_mission


class Tags(HTMLParser):
    """The tags of a text as a browser sees them, each with its attributes."""

    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"
TEMPLATES = sorted(Path(settings.BASE_DIR, "templates").rglob("*.html"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_script_or_style_of_its_own(template):
    text = template.read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|hx-on|hx-vals=.js", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_passes_anything_on_unescaped(template):
    assert not re.search(r"\|\s*safe\b|autoescape off|\|safeseq", template.read_text())


def test_the_policy_of_a_page_allows_only_what_we_serve(page):
    policy = page.get("/")["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_htmx_is_told_to_evaluate_and_keep_nothing(page):
    text = page.get("/").content.decode()
    for setting in (
        '"allowEval":false',
        '"includeIndicatorStyles":false',
        '"historyCacheSize":0',
        '"selfRequestsOnly":true',
    ):
        assert setting in text


def test_what_agents_write_is_escaped_on_every_page(page, project, approver):
    mission = make_mission(project, approver, goal=HOSTILE)
    AgentSession.objects.filter(pk=mission.pk).update(name=HOSTILE, activity=HOSTILE)
    messages.say(sessions.lock(mission.pk), new_id(), HOSTILE)
    urls = ["/", "/?status=queued", "/missions/", f"/agents/{mission.pk}/"]
    urls += [f"/missions/{mission.pk}/?tab={tab}" for tab in ("activity", "messages", "tools", "result")]
    for url in urls:
        text = page.get(url).content.decode()
        assert "alert(1)" in text or "tab=" in url
        assert "<script>alert" not in text
        assert "<img" not in text


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "![x](https://evil.example/track.png)",
        "<a href='https://x.example' onclick='alert(1)'>x</a>",
        "<svg><script>alert(1)</script></svg>",
        "<iframe src=//evil.example></iframe>",
        "[x](vbscript:x) <style>*{display:none}</style>",
    ],
)
def test_markdown_of_agents_can_do_nothing(text):
    found = Tags()
    found.feed(markdown.render(text))
    assert {tag for tag, _ in found.tags} <= {"p", "a"}
    for _, attributes in found.tags:
        assert set(attributes) <= {"href", "rel"}
        assert attributes.get("href", "https:").startswith(("https:", "http:"))


def test_markdown_of_agents_keeps_its_form():
    html = markdown.render("# One\n\n**two** [three](https://x.example)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n3. four")
    assert "<h1>One</h1>" in html
    assert "<strong>two</strong>" in html
    assert 'rel="noopener noreferrer nofollow"' in html
    assert "<td>1</td>" in html
    assert '<ol start="3">' in html


def test_every_page_but_the_sign_in_and_the_health_asks_for_a_session(client, db):
    open_pages = {"login", "notices_worker", "healthz", "scale"}
    asked = 0
    for name, patterns in get_resolver().reverse_dict.lists():
        if not isinstance(name, str) or name in open_pages:
            continue
        url = "/" + re.sub(r"%\((\w+)\)s", lambda m: "x" if m[1] == "verb" else str(new_id()), patterns[0][0][0][0])
        answer = client.get(url)
        assert answer.status_code == 302 and answer["Location"].startswith("/login/"), url
        asked += 1
    assert asked > 12
