/**
 * Caches the files of one build, and never an answer of the API.
 * A new build has its own cache, takes over once that is complete, and then deletes the old one.
 */
declare const FILES: readonly string[];
declare const BUILD: string;

const worker = self as unknown as ServiceWorkerGlobalScope;
const scope = new URL(worker.registration.scope);
const prefix = `carillon:${scope.pathname}:`;
const cacheName = prefix + BUILD;
const index = new URL("index.html", scope).href;
const cachedUrls = new Set(FILES.map((file) => new URL(file, scope).href));

worker.addEventListener("install", (event) => {
  event.waitUntil(fillCache());
});

worker.addEventListener("activate", (event) => {
  event.waitUntil(activate());
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  const url = new URL(request.url);
  url.hash = "";
  url.search = "";
  if (request.mode === "navigate" && url.href.startsWith(scope.href)) {
    event.respondWith(answer(index, request));
  } else if (cachedUrls.has(url.href)) {
    event.respondWith(answer(url.href, request));
  }
});

async function fillCache(): Promise<void> {
  const cache = await caches.open(cacheName);
  // Bypass the HTTP cache: an old index.html in it would name scripts that no longer exist.
  await cache.addAll([...cachedUrls].map((url) => new Request(url === index ? scope.href : url, { cache: "reload" })));
  const page = await cache.match(scope.href);
  if (page !== undefined) await cache.put(index, page);
  await worker.skipWaiting();
}

async function activate(): Promise<void> {
  for (const other of await caches.keys()) {
    if (other.startsWith(prefix) && other !== cacheName) await caches.delete(other);
  }
  await worker.clients.claim();
}

async function answer(url: string, request: Request): Promise<Response> {
  const cache = await caches.open(cacheName);
  return (await cache.match(url)) ?? fetch(request);
}
