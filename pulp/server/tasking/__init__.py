"""Durable tasks: their classes, their legal moves, and the threads' steppable cores that move them."""
