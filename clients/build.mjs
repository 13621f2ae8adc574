/** Generates the operations' types, type-checks, and builds every client into dist/. build.sh runs it if dist/ is stale. */
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { gzipSync } from "node:zlib";

const here = import.meta.dirname;
const COMPRESSED = new Set([".css", ".html", ".js", ".svg", ".ttf", ".webmanifest"]);
const CLIENTS = ["site", "app", "kiosk", "demo", "playground"];

function run(folder, command, ...parameters) {
  const { status } = spawnSync(join(here, "node_modules/.bin", command), parameters, {
    cwd: join(here, folder),
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}

rmSync(join(here, "dist"), { recursive: true, force: true });
const { status } = spawnSync(process.execPath, ["codegen.mjs"], { cwd: here, stdio: "inherit" });
if (status !== 0) process.exit(status ?? 1);
for (const project of ["tsconfig.json", "tsconfig.node.json", "shared/worker/tsconfig.json"]) run(".", "tsc", "-p", project);
for (const client of CLIENTS) run(client, "vite", "build", "--logLevel", "warn");

// The gateway sends these copies to browsers that accept gzip: it compresses nothing itself.
const dist = join(here, "dist");
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !COMPRESSED.has(extname(entry.name))) continue;
  const file = join(entry.parentPath, entry.name);
  const content = readFileSync(file);
  const copy = gzipSync(content, { level: 9 });
  if (copy.length < content.length) writeFileSync(`${file}.gz`, copy);
}
