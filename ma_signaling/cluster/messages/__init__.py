"""The messages between nodes, a class for each.

Each class says to which of the subjects in ``bus`` its messages go. In its description, "I" is the sender.
"""
