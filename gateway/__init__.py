"""The entry floor: application, configuration, authentication, limits, transports, command line."""
