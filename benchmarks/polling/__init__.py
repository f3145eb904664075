"""When to ask: the runner's polls beside the fewest there can be."""
