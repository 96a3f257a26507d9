"""The server. Imports go downward only: main, bootstrap, webservices, api, async_, agent, tasking, db, domain."""
