"""One module of controllers for each group of routes."""
