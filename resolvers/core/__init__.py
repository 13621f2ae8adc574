"""What every feature uses: the context, the actor and its rights, and the run of a command."""
