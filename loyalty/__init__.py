"""The loyalty domain: pure Python without I/O, clock or framework."""
