"""Fetch, screen, propose and measure; the command line."""
