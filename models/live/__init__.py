"""Live updates: one change stream a process, and the hub that distributes it."""
