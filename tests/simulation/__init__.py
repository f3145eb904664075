"""Whole batches in virtual time: one seed, one world of faults, crashes, edits and restarts."""
