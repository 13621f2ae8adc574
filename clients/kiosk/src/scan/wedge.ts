/** The gap between two keys above which somebody types, and no scanner. */
const GAP_MAX_MS = 50;
const LENGTH_MIN = 4;
const LENGTH_MAX = 512;

export type WedgeStep =
  | { readonly kind: "nothing" }
  /** The first key of what may become a burst. */
  | { readonly kind: "first" }
  | { readonly kind: "burst" }
  | { readonly kind: "scanned"; readonly text: string };

/** Tells a scanner that types like a keyboard from a person: a burst of keys, ended by Enter. */
export class Wedge {
  #text = "";
  #last = Number.NEGATIVE_INFINITY;

  take(key: string, at: number): WedgeStep {
    const isFast = at - this.#last <= GAP_MAX_MS;
    this.#last = at;
    if (key === "Enter") {
      const text = this.#text;
      this.#text = "";
      return isFast && text.length >= LENGTH_MIN ? { kind: "scanned", text } : { kind: "nothing" };
    }
    // Shift and the like come along with capital letters.
    if ([...key].length !== 1) return { kind: "nothing" };
    this.#text = isFast ? (this.#text + key).slice(-LENGTH_MAX) : key;
    return { kind: isFast && this.#text.length > 1 ? "burst" : "first" };
  }
}
