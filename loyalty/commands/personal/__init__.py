"""Commands on what is known of a person: profile, cards, consents and preferences."""
