// Switches this browser's notices on: asks the person, then the push service, then tells the server.
import { $, write } from "./controls.js";

const box = $("#browser");
const button = $("[data-switch-on]", box);
const state = $("[data-state]", box);

function bytes(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (one) => one.charCodeAt(0));
}

async function subscription(worker) {
  try {
    return await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(box.dataset.key) });
  } catch {
    return null; // this browser has no push service that answers
  }
}

async function switchOn() {
  if (await Notification.requestPermission() !== "granted") {
    write(state, "This browser does not let Queenright show notices. Its settings for this site say so.");
    return;
  }
  const worker = await navigator.serviceWorker.register(box.dataset.worker, { scope: "/" });
  await navigator.serviceWorker.ready;
  const known = (await subscription(worker))?.toJSON();
  const body = new URLSearchParams({ endpoint: known?.endpoint ?? "", key: known?.keys.p256dh ?? "", auth: known?.keys.auth ?? "" });
  const headers = { "X-CSRFToken": $("[name=csrfmiddlewaretoken]").value };
  const answer = await fetch(box.dataset.subscribe, { method: "POST", body, headers });
  if (!answer.ok) throw new Error(String(answer.status));
  location.reload();
}

if (button && "serviceWorker" in navigator && "Notification" in window) {
  button.hidden = false;
  button.addEventListener("click", () => {
    button.disabled = true;
    switchOn().catch(() => write(state, "That did not work. Nothing was changed; try again.")).finally(() => { button.disabled = false; });
  });
} else if (button) {
  write(state, "This browser cannot show notices here: it needs HTTPS, or this machine itself.");
}
// Switched off here, the push service forgets this browser, too.
$("form[data-switch-off]", box)?.addEventListener("submit", async () => {
  const worker = await navigator.serviceWorker?.getRegistration("/");
  await (await worker?.pushManager?.getSubscription())?.unsubscribe();
});
