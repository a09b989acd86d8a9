// SPDX-License-Identifier: Apache-2.0
// sw.js: keeps every file of the page, the package and the bundle by its digest: assets.json lists them. A file whose
// digest did not change is never asked for again; what changed is taken whole, or not at all.
const NAME = "mmq-companion-files";
const BASE = new URL("../", self.registration.scope);
const LIST = new URL("companion/assets.json", BASE).href;

self.addEventListener("install", (event) => event.waitUntil(update().then(() => self.skipWaiting())));
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(BASE.href)) return;
  event.respondWith(answer(request, event));
});

/** The page itself is the occasion to look for what changed; all else comes from what is kept. */
async function answer(request, event) {
  const cache = await caches.open(NAME);
  if (request.mode === "navigate") await update().catch(() => {});
  const url = new URL(request.url);
  const known = await cache.match(url.origin + url.pathname);
  return known ?? fetch(request);
}

/** Take over the files the server has now, as one step. */
async function update() {
  const response = await fetch(LIST, { cache: "no-store" });
  if (!response.ok) throw new Error(`${LIST}: ${response.status}`);
  const listed = await response.clone().json(),
    cache = await caches.open(NAME),
    before = await (await cache.match(LIST))?.json().catch(() => null);
  const changed = Object.keys(listed).filter((path) => listed[path] !== before?.[path]);
  const fresh = await Promise.all(
    changed.map(async (path) => {
      const found = await fetch(new URL(path, BASE), { cache: "no-cache" });
      if (!found.ok) throw new Error(`${path}: ${found.status}`);
      return [new URL(path, BASE).href, found];
    }),
  );
  for (const [url, found] of fresh) await cache.put(url, found);
  for (const path of Object.keys(before ?? {})) if (!(path in listed)) await cache.delete(new URL(path, BASE).href);
  await cache.put(LIST, response);
}
