/** The mean gap between keys above which somebody types, and no scanner. */
const MEAN_GAP_MAX_MS = 50;
/** A busy tablet may take a moment for one key; after a longer one, another burst begins. */
const GAP_MAX_MS = 200;
const LENGTH_MIN = 4;
const LENGTH_MAX = 512;

export type WedgeStep =
  /** The first key of what may become a burst. */
  | { readonly kind: "first" }
  | { readonly kind: "going" }
  | { readonly kind: "scanned"; readonly text: string };

/** Tells a scanner that types like a keyboard from a person: a burst of keys, ended by Enter. */
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
    // Shift and the like come along with capital letters.
    if ([...key].length !== 1) return { kind: "going" };
    if (!isGoing) this.#first = at;
    this.#text = isGoing ? (this.#text + key).slice(-LENGTH_MAX) : key;
    return { kind: isGoing ? "going" : "first" };
  }
}
