"""Numbered migrations, which convert what earlier releases stored. Each can be stopped and run again at any point."""
