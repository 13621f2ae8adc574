"""Live updates: one change stream per process, and the hub that distributes it."""
