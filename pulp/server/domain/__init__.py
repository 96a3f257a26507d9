"""The server's values: frozen, without behaviour that reads a clock, a store or a network."""
