import { join } from "node:path";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `npm run dev` proxies the API to the gateway at this address.
const gateway = process.env["GATEWAY"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  base: "/playground/",
  plugins: [react()],
  worker: { format: "es" },
  build: {
    outDir: join(import.meta.dirname, "../dist/playground"),
    emptyOutDir: true,
    // Monaco cannot be split into smaller chunks; the gateway lets browsers cache it for a year.
    chunkSizeWarningLimit: 5000,
    reportCompressedSize: false,
    rolldownOptions: {
      // "use no memo" in GraphiQL's files is for React's compiler, which ran before they were published.
      onLog(level, log, handle) {
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") handle(level, log);
      },
    },
  },
  server: {
    proxy: {
      "/graphql": { target: gateway, ws: true },
      "/dev": { target: gateway },
    },
  },
});
