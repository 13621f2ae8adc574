import { useSyncExternalStore } from "react";

import type { AddressParameters } from "../identity/address";
import { type ClientStorage, deviceStorage } from "../identity/storage";
import { type Locale, localeOf, preferredLocale } from "../language/locale";
import { applyTheme, type Theme, themeOf } from "../look/theme";

interface Preferences {
  readonly locale: Locale;
  readonly theme: Theme;
}

/** Language and theme: from the address, else from storage, else from the device. */
export class Settings {
  readonly storage: ClientStorage;
  readonly #listeners = new Set<() => void>();
  #preferences: Preferences;

  constructor(client: string) {
    this.storage = deviceStorage(client);
    this.#preferences = {
      locale: localeOf(this.storage.read("lang")) ?? preferredLocale(),
      theme: themeOf(this.storage.read("theme")) ?? "system",
    };
    applyTheme(this.#preferences.theme);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): Preferences => this.#preferences;

  apply({ lang, theme }: AddressParameters): void {
    const locale = localeOf(lang);
    if (locale !== null) this.setLocale(locale);
    const parsedTheme = themeOf(theme);
    if (parsedTheme !== null) this.setTheme(parsedTheme);
  }

  readonly setLocale = (locale: Locale): void => {
    this.storage.write("lang", locale);
    this.#set({ ...this.#preferences, locale });
  };

  readonly setTheme = (theme: Theme): void => {
    this.storage.write("theme", theme);
    applyTheme(theme);
    this.#set({ ...this.#preferences, theme });
  };

  #set(preferences: Preferences): void {
    this.#preferences = preferences;
    for (const listener of this.#listeners) listener();
  }
}

export function useSettings(settings: Settings): Preferences {
  return useSyncExternalStore(settings.subscribe, settings.snapshot);
}
