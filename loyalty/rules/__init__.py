"""Rules: pure functions that compute points, tiers, refunds and rankings for a member."""
