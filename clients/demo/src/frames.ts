/** The three screens in their frames. They share this page's origin, so that it can read their documents. */
import { SCAN_MESSAGE } from "@carillon/shared/screen/scanMessage";

export const SCREENS = ["site", "app", "kiosk"] as const;
export type ScreenName = (typeof SCREENS)[number];

export interface Sighting {
  readonly version: number;
  /** Time of `performance.now()`. */
  readonly at: number;
}

const SIGHTINGS_MAX = 50;

/** Observes one frame and records when it first showed each version of the member. */
export class Frame {
  readonly #listeners = new Set<() => void>();
  #window: Window | null = null;
  #observer: MutationObserver | null = null;
  #sightings: Sighting[] = [];
  #shown: number | null = null;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** The version shown now; null while no member is. */
  readonly snapshot = (): number | null => this.#shown;

  /** Call after each load of the frame. */
  watch(frame: HTMLIFrameElement): void {
    this.#observer?.disconnect();
    this.#window = frame.contentWindow;
    const page = frame.contentDocument;
    if (page === null) return;
    this.#observer = new MutationObserver(() => this.#update());
    this.#observer.observe(page, {
      subtree: true,
      childList: true,
      attributeFilter: ["data-version", "data-screen", "data-pass", "data-voucher"],
    });
    this.#update();
  }

  read(name: "version" | "screen" | "pass" | "voucher"): string | null {
    const found = this.#window?.document.querySelector<HTMLElement>(`[data-${name}]`);
    return found?.dataset[name] ?? null;
  }

  /** When the frame first showed this version or a later one, by `performance.now()`; null if it has not. */
  firstShownAt(version: number): number | null {
    return this.#sightings.find((sighting) => sighting.version >= version)?.at ?? null;
  }

  /** Clears the recorded versions, before the frame switches to another member. */
  reset(): void {
    this.#sightings = [];
  }

  /** Replaces the fragment of the frame's address, without a history entry. */
  setFragment(fragment: string): void {
    const address = this.#window?.location;
    if (address !== undefined && address.href !== "about:blank") address.replace(`${address.pathname}#${fragment}`);
  }

  /** Simulates a scan of `text`. */
  scan(text: string): void {
    this.#window?.postMessage({ type: SCAN_MESSAGE, text }, window.location.origin);
  }

  #update(): void {
    const text = this.read("version");
    const version = text === null ? null : Number(text);
    if (version !== null && version !== this.#sightings.at(-1)?.version) {
      this.#sightings = [...this.#sightings, { version, at: performance.now() }].slice(-SIGHTINGS_MAX);
    }
    this.#shown = version;
    for (const listener of this.#listeners) listener();
  }
}
