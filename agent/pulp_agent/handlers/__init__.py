"""What an agent can do: one handler for each remote interface. They run in the job's own process."""
