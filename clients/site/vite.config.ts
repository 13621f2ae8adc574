import { defineConfig } from "vite";

import { screen } from "../vite.screen.ts";

export default defineConfig(screen("site"));
