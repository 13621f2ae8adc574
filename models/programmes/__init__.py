"""The programmes and catalogues that a gateway holds in memory."""
