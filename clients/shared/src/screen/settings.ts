import { useSyncExternalStore } from "react";

import type { Brought } from "../identity/address";
import { machineShelf, type Shelf } from "../identity/storage";
import { type Locale, localeOf, preferredLocale } from "../language/locale";
import { type Theme, themeOf, wearTheme } from "../look/theme";

interface Chosen {
  readonly locale: Locale;
  readonly theme: Theme;
}

/** Language and theme: from the address, else from storage, else from the device. */
export class Settings {
  readonly shelf: Shelf;
  readonly #listeners = new Set<() => void>();
  #chosen: Chosen;

  constructor(client: string) {
    this.shelf = machineShelf(client);
    this.#chosen = {
      locale: localeOf(this.shelf.read("lang")) ?? preferredLocale(),
      theme: themeOf(this.shelf.read("theme")) ?? "system",
    };
    wearTheme(this.#chosen.theme);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): Chosen => this.#chosen;

  take({ lang, theme }: Brought): void {
    const locale = localeOf(lang);
    if (locale !== null) this.speak(locale);
    const look = themeOf(theme);
    if (look !== null) this.wear(look);
  }

  readonly speak = (locale: Locale): void => {
    this.shelf.write("lang", locale);
    this.#set({ ...this.#chosen, locale });
  };

  readonly wear = (theme: Theme): void => {
    this.shelf.write("theme", theme);
    wearTheme(theme);
    this.#set({ ...this.#chosen, theme });
  };

  #set(chosen: Chosen): void {
    this.#chosen = chosen;
    for (const listener of this.#listeners) listener();
  }
}

export function useSettings(settings: Settings): Chosen {
  return useSyncExternalStore(settings.subscribe, settings.snapshot);
}
