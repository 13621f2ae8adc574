"""How a request gets in: app, configuration, trust, limits, transports, command line."""
