"""What both clients share: it plans, and touches neither the network nor the clock.

A plan is a generator that yields what is to be done next and is sent what came of it
(`effects`). The clients perform the same plans, one in its caller's thread, the other in
asyncio's loop.
"""
