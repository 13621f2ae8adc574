import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

import react from "@vitejs/plugin-react";
import { type Plugin, type UserConfig, transformWithOxc } from "vite";

const here = import.meta.dirname;

/** The Vite configuration of a screen: served at `/name/`, built into `dist/name`. */
export function screen(name: string, options: { worksOffline?: boolean } = {}): UserConfig {
  const root = join(here, name);
  // `npm run dev` proxies the API to the gateway at this address.
  const gateway = process.env["GATEWAY"] ?? "http://127.0.0.1:8000";
  return {
    root,
    base: `/${name}/`,
    resolve: { alias: { "@carillon/shared": join(here, "shared/src") } },
    plugins: [react(), ...(options.worksOffline === true ? [serviceWorker(root)] : [])],
    build: {
      outDir: join(here, "dist", name),
      emptyOutDir: true,
      // The page's CSP forbids `data:` scripts, and all supported browsers preload modules without the polyfill.
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0,
      reportCompressedSize: false,
    },
    server: { proxy: { "/graphql": { target: gateway, ws: true }, "/dev": { target: gateway } } },
  };
}

/** Emits `sw.js`, which caches every file of this build, so that the page opens without a network. */
function serviceWorker(root: string): Plugin {
  return {
    name: "carillon-service-worker",
    apply: "build",
    generateBundle: {
      order: "post", // after index.html is in the bundle
      async handler(_options, bundle) {
        const source = join(here, "shared/worker/sw.ts");
        const folder = join(root, "public");
        const files = [...Object.keys(bundle), ...publicFiles(folder)].sort();
        const digest = createHash("sha256");
        for (const file of Object.values(bundle)) digest.update(file.type === "chunk" ? file.code : file.source);
        for (const file of publicFiles(folder)) digest.update(readFileSync(join(folder, file)));
        const { code } = await transformWithOxc(readFileSync(source, "utf8"), source, {
          define: { FILES: JSON.stringify(files), BUILD: JSON.stringify(digest.digest("hex").slice(0, 16)) },
        });
        this.emitFile({ type: "asset", fileName: "sw.js", source: code });
      },
    },
  };
}

function publicFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}
