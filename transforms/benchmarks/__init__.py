"""Evaluation sets as indexes of hashes, and the rules by which a question is one of theirs.

lists    sorted hashes, and the items that have each
index    what an index is, how it is opened, and what is wrong with one
build    items to an index
rules    which questions are contaminated, and by what
nearest  the items that are likest to a question, for who compares by meaning
"""
