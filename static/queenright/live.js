// Keeps what is on screen true: small facts come by a socket, HTML is fetched. Pages work without it, only not live.
import { $, $$, fold, write } from "./controls.js";

const main = $("#main");

/* ------------------------------------------------------------------ time */

const skew = main.dataset.now ? Date.parse(main.dataset.now) - Date.now() : 0;
const since = (time) => Math.max(0, Math.floor((Date.now() + skew - Date.parse(time)) / 1000));
const until = (time) => Math.max(0, Math.ceil((Date.parse(time) - Date.now() - skew) / 1000));
const two = (number) => String(number).padStart(2, "0");

function clock(time, withSeconds) {
  const date = new Date(time);
  const day = date.toDateString() === new Date().toDateString() ? "" :
    `${date.toLocaleDateString(undefined, { day: "numeric", month: "short" })} `;
  return `${day}${two(date.getHours())}:${two(date.getMinutes())}${withSeconds ? `:${two(date.getSeconds())}` : ""}`;
}

function elapsed(seconds) {
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

function ago(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} days`;
}

function tell(root) {
  for (const time of $$("time[data-clock]", root)) write(time, clock(time.dateTime, time.dataset.clock === "s"));
  for (const time of $$("time[data-since]", root)) write(time, elapsed(since(time.dateTime)));
  for (const time of $$("time[data-left]", root)) {
    const seconds = until(time.dateTime);
    write(time, elapsed(seconds));
    if (!seconds) time.closest("[data-ends]")?.remove();
  }
  for (const time of $$("time[data-ago]", root)) write(time, ago(since(time.dateTime)));
}

function growLanes() {
  for (const axis of $$("[data-axis]")) {
    const part = (100 * since(axis.dataset.start)) / Number(axis.dataset.axis);
    if (part > 100) behind(axis.closest("[data-live]"));
    const here = Math.min(part, 100);
    for (const bar of $$("rect[data-grows]", axis)) {
      bar.setAttribute("width", `${Math.max(here - parseFloat(bar.getAttribute("x")), 0.4).toFixed(2)}%`);
    }
    for (const line of $$(".nowline", axis)) for (const end of ["x1", "x2"]) line.setAttribute(end, `${here.toFixed(2)}%`);
  }
}

/* --------------------------------------------------------------- regions */

// A region is an element with an id and data-live: the facts that concern it. A fact has the tokens type, kind,
// key, its mission, and "mission" when it is about the mission's own agent; "+" in data-live means both.
const shown = new Set();
const stale = new Set();
const held = new Map();
const MOST = 60; // regions asked for at once
let timer = 0;
let busy = false;

const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) shown[isIntersecting ? "add" : "delete"](target);
  if (stale.size) soon();
}, { rootMargin: "300px" });

function concerns(region, [type, key, mission]) {
  const [kind, id] = key.split(":");
  const tokens = new Set([type, kind, key, `mission:${mission}`, id === mission ? "mission" : ""]);
  return region.dataset.live.split(" ").some((want) => want.split("+").every((token) => tokens.has(token)));
}

function behind(...regions) {
  for (const region of regions) if (region) stale.add(region.id);
  soon();
}

function soon(delay = 60 + Math.random() * 120) {
  if (!timer && !busy && stale.size && !document.hidden) timer = setTimeout(refresh, delay);
}

function wanted() {
  const regions = [...stale].map((id) => document.getElementById(id)).filter((region) => region &&
    (shown.has(region) || "always" in region.dataset) &&
    !region.closest("form[data-dirty]") && !$("form[data-dirty]", region));
  return regions.filter((region) => !regions.some((other) => other !== region && other.contains(region))).slice(0, MOST);
}

// A page that is being left must not call its visitor back.
let leavingUntil = 0;
addEventListener("beforeunload", () => { leavingUntil = Date.now() + 10000; });

function again() {
  if (Date.now() > leavingUntil) location.reload();
}

async function refresh() {
  timer = 0;
  const regions = wanted();
  if (!regions.length) return;
  const url = new URL(main.dataset.from || location.href, location.href);
  url.hash = "";
  for (const region of regions) {
    url.searchParams.append("r", region.id);
    for (const id of [region.id, ...$$("[data-live]", region).map((inner) => inner.id)]) stale.delete(id);
  }
  busy = true;
  let pause;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(15000), cache: "no-store" });
    if (answer.redirected || answer.status === 403 || answer.status === 404) return again();
    if (!answer.ok) throw new Error(`${answer.status}`);
    show(await answer.text());
    heardAt = Date.now();
  } catch {
    for (const region of regions) stale.add(region.id);
    pause = 3000 + Math.random() * 2000;
  } finally {
    busy = false;
  }
  if (wanted().length) soon(pause);
}

function show(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  tell(template.content);
  for (const fresh of [...template.content.children]) {
    const old = document.getElementById(fresh.id);
    if (!old) continue;
    if (fresh.dataset.announce && fresh.dataset.announce !== old.dataset.announce) announce(fresh.dataset.announce);
    if ("list" in old.dataset && old.children.length) merge(old, fresh);
    else morph(old, fresh);
  }
  settle();
}

// What belongs to the person, not to the server.
const OWN = {
  "aria-expanded": "[role=treeitem]",
  tabindex: "[role=treeitem], [role=tab]",
  hidden: "[role=treeitem]",
  open: "details",
};

function morph(old, fresh) {
  Idiomorph.morph(old, fresh, {
    morphStyle: "outerHTML",
    ignoreActiveValue: true,
    callbacks: {
      beforeAttributeUpdated: (name, node) => !(OWN[name] && node.matches(OWN[name])),
      beforeNodeMorphed: (node) => !(node instanceof Element
        && (node.matches("form[data-dirty], [popover]:popover-open") || node.form?.matches("[data-dirty]"))),
    },
  });
  htmx.process(document.getElementById(fresh.id));
}

// Lists do not jump: known rows change in place, new ones wait behind a button.
function merge(list, fresh) {
  let waiting = 0;
  for (const row of [...fresh.children]) {
    const known = document.getElementById(row.id);
    if (known) morph(known, row.cloneNode(true));
    else waiting += 1;
  }
  const bar = $(`[data-fresh="${list.id}"]`);
  bar.hidden = !waiting;
  write($("span", bar), `Show ${waiting} new`);
  held.set(list.id, fresh);
}

function unfold(bar) {
  morph(document.getElementById(bar.dataset.fresh), held.get(bar.dataset.fresh));
  bar.hidden = true;
  settle();
}

function settle() {
  for (const region of $$("[data-live]")) watcher.observe(region);
  for (const region of shown) if (!region.isConnected) shown.delete(region);
  for (const tree of $$("[role=tree]")) fold(tree);
  const rail = $("#rail-waits");
  if (rail) {
    waits = new Set(rail.dataset.waits.split(" ").filter(Boolean));
    others = Number(rail.dataset.all) - waits.size;
  }
  count();
}

/* ------------------------------------------------------------------ link */

const WORDS = { live: "Live", reconnecting: "Reconnecting", polling: "Polling" };
const SILENCE = 40000; // the server gives a sign of life every 15 s
const POLL = 15000;
let cursor = main.dataset.cursor;
let heardAt = Date.now();
let tries = 0;
let silence = 0;
let poll = 0;

function link(state) {
  $("#link").dataset.link = state;
  write($("#link b"), WORDS[state]);
}

function connect() {
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}${main.dataset.feed}?cursor=${cursor}`);
  const lost = ({ code } = {}) => {
    socket.onclose = socket.onmessage = null;
    socket.close();
    clearTimeout(silence);
    if (code === 4401 || code === 4404) return again();
    tries += 1;
    link(tries > 3 ? "polling" : "reconnecting");
    if (tries > 3 && !poll) poll = setInterval(() => behind(...$$("[data-live]")), POLL);
    setTimeout(connect, Math.min(30000, 250 * 2 ** tries) * (0.5 + Math.random()));
  };
  const expect = () => {
    clearTimeout(silence);
    silence = setTimeout(lost, SILENCE);
  };
  socket.onclose = lost;
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    cursor = frame.cursor;
    tries = 0;
    heardAt = Date.now();
    clearInterval(poll);
    poll = 0;
    link("live");
    expect();
    hear(frame);
  };
  expect();
}

function hear({ reset, facts = [] }) {
  if (reset) return behind(...$$("[data-live]"));
  for (const [type, key] of facts) {
    const id = key.split(":")[1];
    if (type === "approval.requested" || type === "approval.undone") waits.add(id);
    if (type === "approval.decided") waits.delete(id);
  }
  count();
  for (const [type, key] of facts) if (key.startsWith("approval:")) notify(type, key.split(":")[1]);
  behind(...$$("[data-live]").filter((region) => facts.some((fact) => concerns(region, fact))));
}

// What the person chose to be told. A push of the same has the same tag: it is shown once.
async function notify(type, request) {
  if (!main.dataset.said || window.Notification?.permission !== "granted") return;
  try {
    const answer = await fetch(`${main.dataset.said}?${new URLSearchParams({ type, request })}`);
    const worker = answer.status === 200 && await navigator.serviceWorker?.getRegistration("/");
    if (!worker) return;
    const { title, body, tag, url } = await answer.json();
    await worker.showNotification(title, { body, tag, data: { url } });
  } catch {
    // the page itself shows it
  }
}

/* ------------------------------------- title, announcer, seconds */

let waits = new Set();
let others = 0; // that wait, too, but are not known by name
let said = [];
let saying = 0;
const icon = $("#favicon");
const plain = icon.href;

function count() {
  const number = waits.size + others;
  document.title = `${number ? `(${number}) ` : ""}${document.title.replace(/^\(\d+\) /, "")}`;
  const favicon = number ? icon.dataset.waits : plain;
  if (icon.getAttribute("href") !== favicon) icon.setAttribute("href", favicon);
  for (const mark of $$(".mark")) mark.toggleAttribute("data-waits", number > 0);
}

function announce(text) {
  said.push(text);
  clearTimeout(saying);
  saying = setTimeout(() => {
    write($("#announcer"), said.join(". "));
    said = [];
  }, 800);
}

function second() {
  if (document.hidden) return;
  tell(document);
  growLanes();
  if (main.dataset.feed) write($("#link .ago"), `updated ${ago(Math.floor((Date.now() - heardAt) / 1000))} ago`);
}

document.addEventListener("click", ({ target }) => {
  const bar = target.closest("[data-fresh] button")?.closest("[data-fresh]");
  if (bar) unfold(bar);
});
document.addEventListener("htmx:load", () => { tell(document); settle(); });
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) { second(); soon(0); }
});

// What others do without a fact: they leave.
setInterval(() => behind(...$$("[data-every]")), 30000);
settle();
second();
setInterval(second, 1000);
if (main.dataset.feed) connect();
