/** The number of decimals of a currency. */
export function decimalsOf(currency: string): number {
  return new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;
}

/** Converts digits of the smallest unit to a decimal string: money is never a float. */
export function amountOf(digits: string, decimals: number): string {
  const padded = digits.padStart(decimals + 1, "0");
  return decimals === 0 ? padded : `${padded.slice(0, -decimals)}.${padded.slice(-decimals)}`;
}
