/** Prints the gzipped size of each screen's scripts; exits with 1 if one is above the limit. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const LIMIT_KB = 150;
const SCREENS = ["site", "app", "kiosk", "demo"];

const weights = SCREENS.map((screen) => {
  const assets = join(import.meta.dirname, "dist", screen, "assets");
  const scripts = readdirSync(assets).filter((name) => name.endsWith(".js"));
  const bytes = scripts.reduce((sum, name) => sum + gzipSync(readFileSync(join(assets, name)), { level: 9 }).length, 0);
  return { screen, weight: bytes / 1000 };
});

for (const { screen, weight } of weights) {
  console.log(`${screen.padEnd(6)} ${weight.toFixed(1).padStart(6)} kB gzipped${weight > LIMIT_KB ? `, over ${LIMIT_KB}` : ""}`);
}
process.exit(weights.some(({ weight }) => weight > LIMIT_KB) ? 1 : 0);
