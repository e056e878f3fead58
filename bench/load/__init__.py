"""The load generator: many users, channels that overlap, a mix of messages at a given rate.

`telegram_town` and `broker_town` are the simulators, each in a process of its own; `towns` starts
and asks them; `people` moves the users into a product's store; `worker` is the product's own worker
with an ear for questions about what it costs. `python -m bench.load` puts all of it together.
"""
