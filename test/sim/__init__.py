"""A deterministic simulation of a whole fleet: the real cores of server and agents in virtual time, with an in-memory network,
processes that crash between any two durable steps, and every invariant checked (ARCHITECTURE.md). `./dev sim` runs it."""
