import { join } from "node:path";

import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { "@carillon/shared": join(import.meta.dirname, "shared/src") } },
  test: { include: ["*/test/**/*.test.ts"] },
});
