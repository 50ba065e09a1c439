"""What pairs become for those who train on them: rows, files beside them, and the words that go along.

prompt     what the policy reads
target     what an export is; targets names the five there are
verl, trl, openrlhf, nemo_gym, hf   a row of each, and how it is launched
licensing  the licence that all sources state
selection  which pairs go along, and on which side of the split
source     pairs out of the shards of runs
shards     rows into files of equal size
vendored   the room `rewards` and what loads it, for who has not installed this package
readme     the README of an export for a trainer; card that of a dataset; escaping the texts of strangers in it
"""
