"""Programmes and catalogues: their stored versions, and the newest ones in memory."""
