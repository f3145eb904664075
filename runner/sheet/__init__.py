"""The contact sheet: a whole batch as people look at it, and as other programs take it."""
