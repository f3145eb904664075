"""Tests of the stand-in provider, by itself."""
