"""Notices in a browser: switched on by the person, shown while a page is open, and they only open a page."""

from playwright.sync_api import expect

from agents.lifecycle import ApprovalStatus
from agents.models import PushSubscription
from agents.roles import Role
from agents.services import notice_choices
from agents.words import Channel
from orchestrator.env import BASE_DIR
from tests.factories import make_member, make_mission
from tests.orchestrator.web.situations import ask
from tests.stack import eventually

# A Chromium without a screen grants the permission, and then has none: what it would show is kept instead.
SCREEN = """
window.shown = [];
Object.defineProperty(Notification, "permission", { get: () => "granted" });
ServiceWorkerRegistration.prototype.showNotification = async (...told) => { window.shown.push(told); };
"""
WORKER = (BASE_DIR / "static" / "queenright" / "notices-worker.js").read_text()
STAGE = """async ([event, given]) => {
  const handlers = {}, done = [];
  const self = {
    location, skipWaiting() {}, addEventListener: (name, act) => { handlers[name] = act; },
    registration: { showNotification: async (...told) => { done.push(["show", ...told]); } },
    clients: { matchAll: async () => [], openWindow: async (url) => { done.push(["open", url]); } },
  };
  %s
  let waits;
  const json = () => { if (!given) throw new Error("no text"); return given; };
  const notification = { close() { done.push(["close"]); }, data: given };
  handlers[event]({ data: { json }, notification, action: "approve", waitUntil: (one) => { waits = one; } });
  await waits;
  return done;
}"""


def test_a_notice_comes_while_a_page_is_open_and_offers_no_decision(site):
    page = site.open("/notifications/", permissions=["notifications"])
    page.context.add_init_script(SCREEN)
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_role("button", name="Switch off")).to_be_visible()
    page.goto("/missions/")
    expect(page.locator("#link b")).to_have_text("Live")
    with page.expect_response("**/notifications/said/**") as answer:
        ask(make_mission(site.project, make_member(site.project, Role.OPERATOR)))
    assert answer.value.status == 204 and page.evaluate("window.shown") == []  # nothing was chosen
    notice_choices.choose(site.user, site.project.pk, [(Channel.BROWSER, "asked")])
    approval = ask(make_mission(site.project, make_member(site.project, Role.OPERATOR)))
    eventually(lambda: page.evaluate("window.shown.length"))
    ((title, told),) = page.evaluate("window.shown")
    assert title == f"Waits for a decision: {approval.title}"
    assert set(told) == {"body", "tag", "data"} and told["tag"] == f"{approval.pk}:asked"
    assert told["data"]["url"].endswith(f"/approvals/{approval.pk}/")
    approval.refresh_from_db()
    assert approval.status == ApprovalStatus.PENDING
    assert "notices-worker.js" in page.evaluate(
        "navigator.serviceWorker.getRegistration('/').then(one => one.active.scriptURL)"
    )
    page.goto("/notifications/")
    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_role("button", name="Switch on")).to_be_visible()
    assert not PushSubscription.objects.exists()


def test_the_worker_shows_what_is_pushed_and_a_click_opens_a_page_of_this_site(site):
    page = site.open("/")

    def play(event: str, given) -> list:
        return page.evaluate(STAGE % WORKER, [event, given])

    told = {"title": "Waits", "body": "b", "tag": "t", "url": "https://elsewhere.example/approvals/1/?verdict=approve"}
    shown = {"body": "b", "tag": "t", "data": {"url": told["url"]}}
    assert play("push", told) == [["show", "Waits", shown]]
    assert play("push", None)[0][:2] == ["show", "A request waits"]
    assert play("notificationclick", {"url": told["url"]}) == [["close"], ["open", f"{site.address}/approvals/1/"]]
    assert play("notificationclick", None) == [["close"], ["open", f"{site.address}/approvals/"]]
