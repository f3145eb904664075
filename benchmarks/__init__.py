"""How fast, how lean, how safe: the runner and its peers against one provider. See README.md."""
