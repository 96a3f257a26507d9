"""Asynchronous remote calls: AsyncAgent fires them, the ReplyListener brings their answers to the tasks. (`async` is a
reserved word, hence the underscore.)"""

from pulp.server.async_.agent import AsyncAgent
from pulp.server.async_.replies import ReplyListener

__all__ = ["AsyncAgent", "ReplyListener"]
