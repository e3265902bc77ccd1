// Shows what is pushed, and opens the request's page. It decides nothing: there are no buttons.
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => {
  let told = {};
  try {
    told = event.data.json();
  } catch {
    // a push service's own test has no text
  }
  const { title = "A request waits", body = "", tag = "", url = "/approvals/" } = told;
  event.waitUntil(self.registration.showNotification(title, { body, tag, data: { url } }));
});

// Whatever site stands in the link, the page is one of this site.
async function open(url) {
  const { pathname } = new URL(url, self.location.origin);
  const there = new URL(pathname, self.location.origin).href;
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const known = pages.find((page) => page.url === there);
  return known ? known.focus() : self.clients.openWindow(there);
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data?.url ?? "/approvals/"));
});
