"""Every page, wide and narrow, light and dark: nothing that axe calls serious, nothing wider than the screen."""

import gzip
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.utils import timezone

from agents.actor import SYSTEM
from agents.ids import new_id
from agents.interrupts import Form
from agents.lifecycle import RewindKind, RuleVerdict, SessionStatus, WaitKind
from agents.models import Approval, ApprovalRule, Delivery, DeliveryAttempt, Membership, User, Webhook
from agents.policies.policy import Terms
from agents.roles import Level, Role
from agents.services import absences, letters, policies, rewinds, rules, tokens
from agents.services.absences import Leave
from agents.services.conclusions import Decision
from agents.services.decisions import decide
from agents.services.letters import Reason
from agents.services.rewinds import Request
from agents.services.rules import Rule
from agents.words import OCCASIONS, DeliveryStatus, Occasion
from memory.models import MissionPassage, MissionSource
from memory.services import memories
from memory.services import precedents as services
from memory.services.memories import Note
from memory.words import MemoryType, SourceOrigin
from orchestrator.actions import webhooks
from orchestrator.actions.webhooks import Wanted
from orchestrator.conf import BreakerLimits
from orchestrator.resilience.breakers import Breaker
from tests.agents.desk import PROPOSED, asked, put
from tests.factories import make_member, make_mission, running
from tests.orchestrator.runtime.rewinds import head, start_of
from tests.orchestrator.web.rewinding import make_agent
from tests.orchestrator.web.situations import REPORT, ask, delegate, end, run, say
from tests.orchestrator.web.test_rule_words import WHOLE
from tests.orchestrator.web.test_session_state import save

PAGES = (
    "now", "now filtered", "missions", "mission", "messages", "tools", "sources", "result", "new mission", "approvals",
    "decided", "decisions", "agreement", "question", "outcomes", "empty approvals",
    "session", "edit", "fork", "replay", "rollback", "held", "import",
    "policy", "edit policy", "rules", "rule", "new rule",
    "notifications", "webhooks", "webhook", "new webhook",
    "memory", "memory search", "source", "away", "system", "dead letters", "tokens", "sign in",
    "not found",
)  # fmt: skip
SHELF = {
    "type": "object", "required": ["shelf"],
    "properties": {"shelf": {"type": "integer"}, "why": {"type": "string"}, "sure": {"type": "boolean"}},
}  # fmt: skip
WIDTHS, SCHEMES = (1440, 390), ("light", "dark")


@pytest.fixture
def addresses(site, trace):
    """A project in the middle of its work, and the address of each page."""
    mission = make_mission(site.project, site.user, goal="How do argyrodites react in humid air?")
    one, two, _ = delegate(run(mission), Level.ARCHITECT, "Literature", "A name that is rather long for one", "c")
    say(run(one), "Reading `source` three of **seventeen**, averyveryverylongwordthatdoesnotbreakanywhere" * 2)
    decide_alike(site)
    approval = ask(one)
    services.gather()
    run(two)
    end(two, SessionStatus.FAILED, error="The model server cannot be reached.")
    source = MissionSource.objects.create(
        project=site.project, user=site.user, session=mission, name="notes.md", media_type="text/markdown",
        origin=SourceOrigin.UPLOAD, sha256="a", size_bytes=5, text="words", words=1,
    )  # fmt: skip
    save(one, {"note": "a", "messages": ["long" * 99] * 60}, {"note": "b", "plan": {"steps": [{"a": 1}] * 20}})
    passage = MissionPassage.objects.create(
        project=site.project, source=source, position=0, start=0, end=9, content="Some words to cite."
    )
    memories.remember(one, Note("Argyrodites lose sulfur.", MemoryType.SEMANTIC, 0.7, passage_id=passage.pk))
    finished = make_mission(site.project, site.user)
    run(finished)
    answer = {"question": "How?", "text": "So [1].", "confidence": 0.5, "missing": "Prices.",
              "citations": [{"number": 1, "passage_id": str(passage.pk), "quote": "words"}]}  # fmt: skip
    report = {"title": "Found", "summary": "Short.", "answers": [answer], "missing": ["More."]}
    end(finished, output={"report": report, "publication": {"published": False, "reason": "No."}})
    old = ask(make_mission(site.project, site.user))
    page = site.open(f"/approvals/{old.pk}/")
    page.keyboard.press("a")
    page.wait_for_url(f"**/approvals/{approval.pk}/")
    page.close()
    rewound = make_agent(site.project, site.user, "test.queen", below=(1, 1, 2), tool="trace_wipeably")
    at = start_of(rewound)
    held = make_agent(site.project, site.user, tool="leave_trace")
    rewind = Request(new_id(), RewindKind.ROLLBACK, head(held), head(held))
    rewinds.begin(held.pk, rewind, by=site.user)
    shared, question = agreement(site), which_shelf(site)
    fail_for_good(one, two)
    rule = make_rules(site, approval)
    revoked, _ = tokens.make(site.user, "A name that is rather long for one", seconds=60)
    tokens.revoke(revoked.pk, by=site.user)
    tokens.make(site.user, "Deploy gate", seconds=None)
    webhook = make_webhooks(site, approval)
    make_absences(site)
    tabs = {tab: f"/missions/{mission.pk}/?tab={tab}" for tab in ("messages", "tools", "sources")}
    return tabs | {
        "now": "/", "now filtered": "/?status=waiting", "missions": "/missions/", "mission": f"/missions/{mission.pk}/",
        "result": f"/missions/{finished.pk}/", "new mission": "/missions/new/", "approvals": "/approvals/",
        "decided": f"/approvals/{old.pk}/", "decisions": "/approvals/?state=decided#list",
        "agreement": f"/approvals/{shared.pk}/", "question": f"/approvals/{question.pk}/",
        "outcomes": f"/approvals/#{old.pk}",
        "empty approvals": "/approvals/?risk=low", "session": f"/agents/{one.pk}/",
        "memory": "/memory/", "memory search": "/memory/?q=sulfur", "source": f"/passages/{passage.pk}/?quote=words",
        **{kind: f"/agents/{rewound.pk}/{kind}/?at={at}" for kind in ("edit", "fork", "replay", "rollback")},
        "policy": "/policy/", "edit policy": "/policy/edit/?from=1",
        "notifications": "/notifications/", "webhooks": "/webhooks/", "webhook": f"/webhooks/{webhook.pk}/",
        "new webhook": "/webhooks/new/",
        "rules": "/rules/", "rule": f"/rules/{rule.pk}/", "new rule": f"/rules/new/?from={approval.pk}",
        "tokens": "/account/tokens/", "away": "/away/", "system": "/system/", "dead letters": "/system/letters/?all=1",
        "held": f"/agents/{held.pk}/", "import": "/agents/import/", "sign in": "/login/", "not found": "/nothing/",
    }  # fmt: skip


def agreement(site) -> Approval:
    """A request that two must approve, and that somebody has approved with another tool and other arguments."""
    changes = {"kind": WaitKind.FOREIGN, "form": Form.BATCH, "may_change_tool": True, "terms": Terms(people=2)}
    approval = put(running(make_mission(site.project)), asked(tool_name="mail", **changes), kind=WaitKind.FOREIGN)[0]
    by = make_member(site.project, Role.APPROVER, "noor")
    decide(approval.pk, Decision("approve", PROPOSED | {"content": "Other words"}), by=by, version=1)
    return approval


def which_shelf(site) -> Approval:
    """A question of an imported graph, answered by parts."""
    question = asked(
        kind=WaitKind.FOREIGN, form=Form.OPEN, title="Which shelf?", tool_name="", schema=SHELF,
        proposed={"shelves": [1, 2, 3]}, allowed=("respond",),
    )  # fmt: skip
    return put(running(make_mission(site.project)), question, kind=WaitKind.FOREIGN)[0]


def decide_alike(site) -> None:
    """What stands beside a request: decided ones with edits and reasons, and a rule that they suggest."""
    edits = {"file_name": "a-rather-long-name-of-a-file-without-a-break-in-it.md", "content": "more " * 99}
    for number in range(7):
        one = ask(make_mission(site.project, site.user))
        edited = None if number else REPORT | edits
        decision = Decision("reject" if number == 1 else "approve", edited, "Split it: one report is one question.")
        decide(one.pk, decision, by=site.user, version=1)


def make_rules(site, approval) -> ApprovalRule:
    """A policy of two versions, and rules that decide; the person who looks may edit all of it."""
    Membership.objects.filter(user=site.user).update(role=Role.ADMIN)
    for name in ("olga", "ada"):
        make_member(site.project, Role.APPROVER, name)
    for number, given in enumerate((WHOLE, {**WHOLE, "rules": WHOLE["rules"][:2]})):
        policies.save(site.project.pk, given, expected=number or None, note="So it is better.", by=site.user)
    low = {"risks": ["low"]}
    gone, made = (
        rules.make(
            site.project.pk,
            Rule(
                "publish_report",
                RuleVerdict.REJECT,
                "A name that is rather long for one",
                low,
                "No.",
                3600,
                approval.pk,
            ),
            by=site.user,
        )
        for _ in range(2)
    )
    rules.revoke(gone.pk, by=site.user)
    return made


def make_webhooks(site, approval) -> Webhook:
    """One that is disabled, and one with deliveries in every state."""
    long = "https://hooks.example.com/" + "averylongpathwithoutanybreak" * 4
    for name in ("Gone", "Tickets with a name that is rather long for one"):
        made = webhooks.make(site.user, site.project.pk, new_id(), Wanted(name, long, OCCASIONS)).webhook
    Webhook.objects.filter(name="Gone").update(disabled_why="It answered 410: gone.")
    for number, status in enumerate(DeliveryStatus):
        webhooks.send_test(site.user, made.pk)
        delivery = Delivery.objects.latest("created_at")
        Delivery.objects.filter(pk=delivery.pk).update(
            status=status, attempts=number, occasion=Occasion.ASKED, approval=approval, why="Tried 11 times."
        )
        DeliveryAttempt.objects.create(delivery=delivery, number=1, code=500, milliseconds=12, answer="<no>" * 200)
        DeliveryAttempt.objects.create(delivery=delivery, number=2, error="It did not answer within 10 seconds.")
    return made


def make_absences(site) -> None:
    """Who looks is away and stands in; another is away, too, and a third will be."""
    olga, ada = (User.objects.get(username=name) for name in ("olga", "ada"))
    late = timezone.now() + timedelta(days=3)
    long = make_member(site.project, Role.APPROVER, "somebody.with.a.rather.long.name@example.org")
    for user, stand_in, since in (
        (site.user, ada, None),
        (ada, long, None),
        (olga, site.user, None),
        (long, olga, late),
    ):
        absences.begin(site.project.pk, Leave(user.pk, stand_in.pk, since, late + timedelta(days=9)), by=site.user)


def fail_for_good(*sessions) -> None:
    """Dead letters of each kind, open and settled, and breakers in each state."""
    trace = (
        "Traceback (most recent call last):\n" + "  File somewhere, line 1, in a_rather_long_name_of_a_function\n" * 9
    )
    for session in sessions:
        letters.keep_session(session, Reason("worker_died", "The worker died 5 times while this agent ran.", trace))
    letters.keep_task("queenright.prune", [], Reason("OperationalError", "disk full " * 60, trace))
    letters.replayed(sessions[0], actor=SYSTEM)
    for name, resting in (("model/openai:gpt-5-mini-with-a-long-name", 30), ("tool/publish_report", 0.1)):
        limits = BreakerLimits(1, timedelta(seconds=resting), timedelta(minutes=1))
        with Breaker(name, name, limits).passing() as passage:
            passage.failed("cannot be reached, or the connection broke")


def test_every_page_is_sound_for_everybody(site, addresses, axe):
    """Nothing that axe calls serious, nothing wider than the screen; on a phone, nothing too small for a finger."""
    assert set(addresses) == set(PAGES)
    told = []
    for width in WIDTHS:
        page = site.open(width=width, has_touch=width < 720)
        for name, address in addresses.items():
            if name == "sign in":
                page.context.clear_cookies()
            page.goto(address)
            if name == "outcomes":
                decide_many(page, address.partition("#")[2])
            for fold in page.locator("details.raw").all():
                fold.evaluate("fold => fold.open = true")
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                faults = [*_violations(page, axe, scheme), *_overflow(page), *(_too_small(page) if width < 720 else ())]
                told += [f"{name}, {width} px, {scheme}: {fault}" for fault in faults]
        page.context.close()
    assert not told, "\n".join(told)


def decide_many(page, *keys: str) -> None:
    """Approve requests by one press of the list, whatever they are by now."""
    picks = "".join(f'<input type="hidden" name="pick" value="{key}:1">' for key in keys)
    with page.expect_navigation():
        page.evaluate(
            """picks => {
                const form = document.getElementById("bulk");
                form.insertAdjacentHTML("beforeend", picks + '<input type="hidden" name="verdict" value="approve">');
                form.submit();
            }""",
            picks,
        )


def _violations(page, axe: str, scheme: str) -> list[str]:
    """In the dark only colours differ from what was looked at in the light."""
    options = {"resultTypes": ["violations"]} | ({"runOnly": ["color-contrast"]} if scheme == "dark" else {})
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)
    found = page.evaluate("options => axe.run(document, options)", options)["violations"]
    return [
        f"{fault['id']}: {[node['target'] for node in fault['nodes'][:3]]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]


def _overflow(page) -> list[str]:
    too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [f"{too_wide} px wider than the screen"] if too_wide > 0 else []


def _too_small(page) -> list[str]:
    return page.evaluate(
        """[...document.querySelectorAll(".btn, .chip, .rail-nav a, .tabs a, .input, .select, .check")]
        .filter(one => one.checkVisibility() && one.getBoundingClientRect().height < 43.5)
        .map(one => "too small: " + one.outerHTML.slice(0, 90))"""
    )


def test_script_and_style_weigh_less_than_100_kb_together(site):
    page = site.open("/")
    loaded = page.evaluate(
        "performance.getEntriesByType('resource').map(one => new URL(one.name).pathname)"
        ".filter(path => /[.](js|css|svg)$/.test(path))"
    )
    assert {"/static/live.js", "/static/app.css", "/static/vendor/htmx.min.js"} <= set(loaded)
    sizes = {
        path: len(gzip.compress(Path(finders.find(path.removeprefix("/static/"))).read_bytes())) for path in loaded
    }
    assert sum(sizes.values()) < 100_000, sizes
