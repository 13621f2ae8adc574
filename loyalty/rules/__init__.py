"""Rules: what a programme computes for a member, such as points, tiers and rankings."""
