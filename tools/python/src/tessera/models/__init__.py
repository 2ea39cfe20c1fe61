"""What the door tells, as values that do not change.

Every model has what the API promises as attributes, and in `raw` the JSON object that it was
read from, with whatever a newer door has added.
"""

from .farm import Block, Farm, Market, Node, StatementEntry, Wallet
from .job import Event, Frame, FrameRange, JobFacts, LogEntry, Tile, TileCounts
from .scene import Animation, Arrival, Asks, Memory, NodeCounts, Probed, Quote, Scene
from .studio import Attempt, Budget, Delivery, Team, Token, Webhook

__all__ = [
    "Animation",
    "Arrival",
    "Asks",
    "Attempt",
    "Block",
    "Budget",
    "Delivery",
    "Event",
    "Farm",
    "Frame",
    "FrameRange",
    "JobFacts",
    "LogEntry",
    "Market",
    "Memory",
    "Node",
    "NodeCounts",
    "Probed",
    "Quote",
    "Scene",
    "StatementEntry",
    "Team",
    "Tile",
    "TileCounts",
    "Token",
    "Wallet",
    "Webhook",
]
