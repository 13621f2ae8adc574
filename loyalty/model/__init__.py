"""The model: members, ledgers, offers, rewards, orders and programmes as immutable values."""
