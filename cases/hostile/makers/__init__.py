"""Makers of hostile files, by what they break."""
