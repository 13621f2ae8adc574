/** The three screens in their frames: on one origin, so that this page sees what they show, as a person would. */
import { SCAN_MESSAGE } from "@carillon/shared/screen/scanMessage";

export const SCREENS = ["site", "app", "kiosk"] as const;
export type ScreenName = (typeof SCREENS)[number];

export interface Seen {
  readonly version: number;
  /** By performance.now(). */
  readonly at: number;
}

const SEEN_MAX = 50;

/** Watches one frame, and remembers when it first showed each version of its member. */
export class Frame {
  readonly #listeners = new Set<() => void>();
  #window: Window | null = null;
  #observer: MutationObserver | null = null;
  #seen: Seen[] = [];
  #shown: number | null = null;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** The version that is shown now; null while nobody is there. */
  readonly snapshot = (): number | null => this.#shown;

  /** Call with each document that is loaded into the frame. */
  watch(frame: HTMLIFrameElement): void {
    this.#observer?.disconnect();
    this.#window = frame.contentWindow;
    const page = frame.contentDocument;
    if (page === null) return;
    this.#observer = new MutationObserver(() => this.#look());
    this.#observer.observe(page, {
      subtree: true,
      childList: true,
      attributeFilter: ["data-version", "data-screen", "data-pass"],
    });
    this.#look();
  }

  read(name: "version" | "screen" | "pass"): string | null {
    const found = this.#window?.document.querySelector<HTMLElement>(`[data-${name}]`);
    return found?.dataset[name] ?? null;
  }

  /** When the frame first showed this version or a later one; null where it has not. */
  sawAt(version: number): number | null {
    return this.#seen.find((seen) => seen.version >= version)?.at ?? null;
  }

  /** Another person is looked at: what was seen of the one before says nothing. */
  forget(): void {
    this.#seen = [];
  }

  /** Puts a fragment into the frame's address, with no trace in the history. */
  tell(fragment: string): void {
    const address = this.#window?.location;
    if (address !== undefined && address.href !== "about:blank") address.replace(`${address.pathname}#${fragment}`);
  }

  /** As if a scanner had read this. */
  scan(text: string): void {
    this.#window?.postMessage({ type: SCAN_MESSAGE, text }, window.location.origin);
  }

  #look(): void {
    const text = this.read("version");
    const version = text === null ? null : Number(text);
    if (version !== null && version !== this.#seen.at(-1)?.version) {
      this.#seen = [...this.#seen, { version, at: performance.now() }].slice(-SEEN_MAX);
    }
    this.#shown = version;
    for (const listener of this.#listeners) listener();
  }
}
