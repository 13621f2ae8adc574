/** Readable brand colours, by WCAG's relative luminance and contrast ratio. */
type Rgb = readonly [number, number, number];

const AA = 4.5;
const STEPS = 20;
export const WHITE: Rgb = [255, 255, 255];
export const BLACK: Rgb = [0, 0, 0];

/** Accepts `#RGB` and `#RRGGBB`; null otherwise. */
export function parseColour(text: string): Rgb | null {
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(text);
  const digits = short === null ? /^#([0-9a-f]{6})$/i.exec(text)?.[1] : short.slice(1).map((d) => d + d).join("");
  if (digits === undefined) return null;
  const value = Number.parseInt(digits, 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

export function formatColour([red, green, blue]: Rgb): string {
  return `#${[red, green, blue].map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`;
}

export function luminance(colour: Rgb): number {
  const [red, green, blue] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

export function contrast(one: Rgb, other: Rgb): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/** Black or white, whichever contrasts more with the colour. */
export function inkOn(colour: Rgb): Rgb {
  return contrast(colour, WHITE) >= contrast(colour, BLACK) ? WHITE : BLACK;
}

/** The colour itself if its contrast with the background is at least AA, else the nearest shade that reaches it. */
export function readableOn(colour: Rgb, background: Rgb): Rgb {
  const [hue, saturation, lightness] = toHsl(colour);
  const end = luminance(background) > 0.18 ? 0 : 1;
  for (let step = 0; step <= STEPS; step += 1) {
    const shade = fromHsl([hue, saturation, lightness + (end - lightness) * (step / STEPS)]);
    if (contrast(shade, background) >= AA) return step === 0 ? colour : shade;
  }
  return end === 0 ? BLACK : WHITE;
}

/** Hue in degrees, saturation and lightness from 0 to 1. */
function toHsl(colour: Rgb): Rgb {
  const [red, green, blue] = [colour[0] / 255, colour[1] / 255, colour[2] / 255];
  const most = Math.max(red, green, blue);
  const span = most - Math.min(red, green, blue);
  const lightness = most - span / 2;
  if (span === 0) return [0, 0, lightness];
  const saturation = (most - lightness) / Math.min(lightness, 1 - lightness);
  const sixth = most === red ? (green - blue) / span : most === green ? 2 + (blue - red) / span : 4 + (red - green) / span;
  return [(sixth * 60 + 360) % 360, saturation, lightness];
}

function fromHsl([hue, saturation, lightness]: Rgb): Rgb {
  const swing = saturation * Math.min(lightness, 1 - lightness);
  const part = (offset: number) => {
    const turn = (offset + hue / 30) % 12;
    return 255 * (lightness - swing * Math.max(-1, Math.min(turn - 3, 9 - turn, 1)));
  };
  return [part(0), part(8), part(4)];
}
