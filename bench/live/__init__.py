"""Live updates: Carillon and its peers, with many subscribers."""
