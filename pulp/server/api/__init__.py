"""What the server can do for its users, and the task classes that do it."""
