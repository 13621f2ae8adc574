import { useSyncExternalStore } from "react";

export const ROUTES = ["home", "offers", "rewards", "orders", "history", "profile"] as const;
export type Route = (typeof ROUTES)[number];

export const addressOf = (route: Route): string => (route === "home" ? "#/" : `#/${route}`);

function currentRoute(): Route {
  const name = window.location.hash.replace(/^#\//, "");
  return ROUTES.find((route) => route === name) ?? "home";
}

function subscribe(listener: () => void): () => void {
  window.addEventListener("hashchange", listener);
  return () => window.removeEventListener("hashchange", listener);
}

export function useRoute(): Route {
  return useSyncExternalStore(subscribe, currentRoute);
}
