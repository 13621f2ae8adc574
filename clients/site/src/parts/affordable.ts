/** Returns the number of pieces that a member can order: bounded by the points and the stock, and 0 without either. */
export function affordable(reward: { points: number; stock: number | null }, available: number): number {
  const byPoints = reward.points > 0 ? Math.floor(available / reward.points) : Number.POSITIVE_INFINITY;
  return Math.max(0, Math.min(byPoints, reward.stock ?? Number.POSITIVE_INFINITY));
}
