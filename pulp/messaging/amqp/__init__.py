"""AMQP 1.0: the only place that knows Proton."""
