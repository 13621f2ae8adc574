import { type ReactNode, StrictMode } from "react";
import { createRoot } from "react-dom/client";

export function mount(screen: ReactNode): void {
  const root = document.getElementById("root");
  if (root === null) throw new Error("index.html has no #root.");
  createRoot(root).render(<StrictMode>{screen}</StrictMode>);
}
