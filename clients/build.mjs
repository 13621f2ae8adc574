/** Generates the operations' types, type-checks, and builds every client into dist/. build.sh runs it if dist/ is stale. */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";

const here = import.meta.dirname;
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
