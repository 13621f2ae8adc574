/** A greater mean gap between keys means a person, not a scanner. */
const MEAN_GAP_MAX_MS = 50;
/** A busy tablet may delay a key; after a longer gap a new burst begins. */
const GAP_MAX_MS = 200;
const LENGTH_MIN = 4;
const LENGTH_MAX = 512;

export type WedgeStep =
  /** The first key of a possible burst. */
  | { readonly kind: "first" }
  | { readonly kind: "going" }
  | { readonly kind: "scanned"; readonly text: string };

/** Detects a keyboard-wedge scanner, which types a burst of keys ended by Enter. Times are in milliseconds. */
export class Wedge {
  #text = "";
  #first = 0;
  #last = Number.NEGATIVE_INFINITY;

  take(key: string, at: number): WedgeStep {
    const isGoing = this.#text !== "" && at - this.#last <= GAP_MAX_MS;
    this.#last = at;
    if (key === "Enter") {
      const text = this.#text;
      const isBurst = isGoing && text.length >= LENGTH_MIN && (at - this.#first) / text.length <= MEAN_GAP_MAX_MS;
      this.#text = "";
      return isBurst ? { kind: "scanned", text } : { kind: "going" };
    }
    // Ignore Shift and other named keys, which accompany capital letters.
    if ([...key].length !== 1) return { kind: "going" };
    if (!isGoing) this.#first = at;
    this.#text = isGoing ? (this.#text + key).slice(-LENGTH_MAX) : key;
    return { kind: isGoing ? "going" : "first" };
  }
}
