"""HTTP over TLS on cheroot's parser, thread pool and selector, with one change: a worker thread never waits for a client.

Bytes are gathered as they come, a request reaches a worker when it is whole, and a long poll holds a ticket instead of a thread.
"""
