// Trees and tabs with arrow keys, forms that mark their edits, single keys, notices.
import { tinykeys } from "./vendor/tinykeys.module.js";

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/* ---------------------------------------------------------- trees and tabs */

// What a person opened stays open, also where its rows come from the server again.
const opened = new Set();

export function fold(tree) {
  let limit = Infinity;
  for (const item of $$("[role=treeitem]", tree)) {
    if (item.dataset.rows && opened.has(item.id)) item.setAttribute("aria-expanded", "true");
    const level = Number(item.getAttribute("aria-level"));
    if (level <= limit) limit = Infinity;
    item.hidden = level > limit;
    if (item.hidden) continue;
    if (item.getAttribute("aria-expanded") === "false") limit = level;
    else if (item.dataset.rows) fetchRows(tree, item);
  }
}

let walked = "";

async function fetchRows(tree, item) {
  const { rows, next } = item.dataset;
  const before = item.previousElementSibling;
  delete item.dataset.rows;
  const swap = next === undefined ? "afterend" : "outerHTML";
  await htmx.ajax("GET", `${tree.dataset.source}&${rows}`, { source: item, target: item, swap }).catch(() => {});
  const came = next === undefined ? item.nextElementSibling?.ariaLevel > item.ariaLevel : !item.isConnected;
  if (!came) {
    item.dataset.rows = rows;
    opened.delete(item.id);
    item.setAttribute("aria-expanded", "false");
  }
  if (document.activeElement !== document.body || !walked) return;
  const lost = walked === item.id && next !== undefined ? before?.nextElementSibling : document.getElementById(walked);
  if (lost) rove($$("[role=treeitem]", tree), lost);
}

function toggle(item, open) {
  if (!item.hasAttribute("aria-expanded")) return false;
  const is = item.getAttribute("aria-expanded") === "true";
  item.setAttribute("aria-expanded", String(open ?? !is));
  opened[open ?? !is ? "add" : "delete"](item.id);
  fold(item.closest("[role=tree]"));
  return is !== (open ?? !is);
}

function rove(items, item) {
  walked = item.id;
  for (const other of items) other.tabIndex = other === item ? 0 : -1;
  item.focus();
}

function choose(item) {
  for (const other of $$("[aria-selected]", item.closest("[role=tree]"))) other.setAttribute("aria-selected", "false");
  item.setAttribute("aria-selected", "true");
  $("a[href]", item).click();
}

function moveInTree(event, item) {
  const items = $$("[role=treeitem]", item.closest("[role=tree]")).filter((other) => !other.hidden);
  const at = items.indexOf(item);
  const level = (other) => Number(other.getAttribute("aria-level"));
  const go = (to) => to && rove(items, to);
  const acts = {
    ArrowDown: () => go(items[at + 1]),
    ArrowUp: () => go(items[at - 1]),
    Home: () => go(items[0]),
    End: () => go(items.at(-1)),
    ArrowRight: () => toggle(item, true) || (items[at + 1] && level(items[at + 1]) > level(item) && go(items[at + 1])),
    ArrowLeft: () => toggle(item, false) || go(items.slice(0, at).findLast((other) => level(other) < level(item))),
    Enter: () => ($("a[href]", item) ? choose(item) : toggle(item)),
    " ": () => toggle(item),
  };
  if (!acts[event.key]) return;
  event.preventDefault();
  acts[event.key]();
}

function moveInTabs(event, tab) {
  const tabs = $$("[role=tab]", tab.closest("[role=tablist]"));
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step) rove(tabs, tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length]);
}

/* ------------------------------------------------------ forms, keys, notices */

function compare(field) {
  const value = field.type === "checkbox" ? String(field.checked) : field.value;
  const changed = value !== field.dataset.proposed;
  field.closest(".arg").classList.toggle("changed", changed);
  $(".was", field.closest(".arg")).hidden = !changed;
  const edits = $$(".arg.changed").length;
  for (const place of $$("[data-edits]")) {
    place.hidden = !edits;
    write($("span", place) ?? place, `${place.dataset.edits}${edits} edit${edits === 1 ? "" : "s"}`);
  }
}

function restore(button) {
  const field = $("[data-proposed]", button.closest(".arg"));
  if (field.type === "checkbox") field.checked = field.dataset.proposed === "true";
  else field.value = field.dataset.proposed;
  compare(field);
  field.focus();
}

function press(event) {
  const typing = "input:not([type=range], [type=checkbox]), textarea, select, [contenteditable], [popover]:popover-open";
  if (document.documentElement.dataset.keys === "off" || event.target.closest?.(typing)) return;
  const target = $$(`[data-key="${CSS.escape(event.key)}"]`).find((one) => one.popover || one.checkVisibility());
  if (!target || target.getAttribute("aria-disabled") === "true") return;
  event.preventDefault();
  if (target.popover) target.togglePopover();
  else if (target.matches("input:not([type=checkbox]), textarea, select")) target.focus();
  else target.click();
}

function notice(text) {
  const toast = $("#toasts template").content.firstElementChild.cloneNode(true);
  write($("span", toast), text);
  $("#toasts").append(toast);
}

tinykeys(window, Object.fromEntries(["/", "j", "k", "a", "e", "r", "t", "x", "z", "c", "Shift+A", "Shift+R", "n", "[", "]", "?", "Shift+?"].map((key) => [key, press])));

function pick(rail, { clientX }) {
  const { left, width } = rail.getBoundingClientRect();
  const slider = $("input[type=range]", rail.closest("form"));
  slider.value = Math.round(((clientX - left) / width) * slider.max);
  slider.dispatchEvent(new Event("change", { bubbles: true }));
}

const CLICKS = {
  "[data-rail]": pick,
  "[data-close]": (button) => button.closest(".toast").remove(),
  "[data-restore]": restore,
  "[aria-disabled=true]": (_, event) => event.preventDefault(),
};

document.addEventListener("click", (event) => {
  for (const [selector, act] of Object.entries(CLICKS)) {
    const target = event.target.closest(selector);
    if (target) act(target, event);
  }
  const item = event.target.closest("[role=treeitem]");
  if (!item || event.target.closest("a")) return;
  rove($$("[role=treeitem]", item.closest("[role=tree]")), item);
  if (event.target.closest("[data-twist]") || !$("a[href]", item)) toggle(item);
  else choose(item);
});
document.addEventListener("keydown", (event) => {
  if (event.target.matches?.("[role=treeitem]")) moveInTree(event, event.target);
  if (event.target.matches?.("[role=tab]")) moveInTabs(event, event.target);
  if (event.key === "Escape" && event.target.matches?.("[data-proposed]")) event.target.blur(); // keys count again
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("[name=verdict]", event.target.closest("[popover]"))?.click();
});
document.addEventListener("input", ({ target }) => {
  if (target.dataset.proposed !== undefined) compare(target);
  if (target.dataset.chooses) document.getElementById(target.dataset.chooses).checked = true;
  if (target.form && !target.form.matches("[data-auto], [role=search]")) target.form.dataset.dirty = "";
});
function tally() {
  const picked = $$("input[name=pick]:checked");
  for (const place of $$("[data-picked]")) write(place, String(picked.length));
  for (const place of $$("[data-risky]")) place.hidden = !picked.some((one) => $(".risk[data-r=high]", one.closest("li")));
}
document.addEventListener("change", ({ target }) => target.name === "pick" && tally());
document.addEventListener("reset", () => setTimeout(tally));
// What was typed before this script came, or put back by the browser, is an edit too.
for (const field of $$("[data-proposed]")) compare(field);
document.addEventListener("change", ({ target }) => target.form?.matches("[data-auto]") && target.form.requestSubmit());
document.addEventListener("change", ({ target: { form, dataset, checked } }) => {
  if (!dataset.all) return;
  for (const field of form.elements) if (field.name === dataset.all) field.checked = checked;
});
// A dialog that a key opened leaves the focus inside when it closes.
document.addEventListener("beforetoggle", ({ target, newState }) => {
  if (newState === "closed" && target.contains(document.activeElement)) {
    document.activeElement.blur();
    $(`[popovertarget="${target.id}"]`)?.focus();
  }
}, true);
document.addEventListener("reset", ({ target }) => delete target.dataset.dirty);
document.addEventListener("htmx:afterSwap", ({ target }) => {
  if ("scroll" in target.dataset && target.getBoundingClientRect().top > innerHeight) target.scrollIntoView();
});
document.addEventListener("htmx:xhr:progress", ({ target, detail }) => {
  const bar = $("progress", target);
  if (bar && detail.lengthComputable) Object.assign(bar, { max: detail.total, value: detail.loaded });
});
document.addEventListener("htmx:responseError", ({ detail }) =>
  notice(`The server answered ${detail.xhr.status}. Reload to see whether it was taken.`));
document.addEventListener("notice", ({ detail }) => notice(detail.value));
document.addEventListener("htmx:sendError", () => notice("The server cannot be reached. Nothing was sent."));
