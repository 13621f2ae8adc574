"""The programme's rules: pure Python, no I/O, no clock, no framework."""
