"""References of events to the purchases of other senders, and the events that wait for theirs."""
