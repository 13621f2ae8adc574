import type { ClientStorage } from "../identity/storage";
import { formatColour, inkOn, parseColour, readableOn } from "./colour";

export interface Brand {
  readonly colour: string;
  readonly accent: string;
}

/** The least contrasting backgrounds of tokens.css: `--paper` in the light theme, `--sunken` in the dark one. */
const PAPER = [244, 241, 235] as const;
const NIGHT = [33, 38, 36] as const;

/** Sets the brand's colours as CSS variables, with readable text colours. Does nothing if a colour does not parse. */
export function applyBrand(brand: Brand): void {
  const colour = parseColour(brand.colour);
  const accent = parseColour(brand.accent);
  if (colour === null || accent === null) return;
  const { style } = document.documentElement;
  style.setProperty("--brand", formatColour(colour));
  style.setProperty("--brand-ink", formatColour(inkOn(colour)));
  style.setProperty("--brand-on-paper", formatColour(readableOn(colour, PAPER)));
  style.setProperty("--brand-on-night", formatColour(readableOn(colour, NIGHT)));
  style.setProperty("--accent", formatColour(accent));
  style.setProperty("--accent-ink", formatColour(inkOn(accent)));
  style.setProperty("--accent-on-brand", formatColour(readableOn(accent, colour)));
}

/** Applies the colours of the last visit, so that the page does not change colour once the programme is loaded. */
export function applyStoredBrand(storage: ClientStorage): void {
  const [colour, accent] = (storage.read("brand") ?? "").split(" ");
  if (colour !== undefined && accent !== undefined) applyBrand({ colour, accent });
}

export function storeBrand(storage: ClientStorage, { colour, accent }: Brand): void {
  storage.write("brand", `${colour} ${accent}`);
}
