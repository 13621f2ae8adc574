"""What tests of several floors share: a gateway as a process, a shop that acts through the real resolvers."""
