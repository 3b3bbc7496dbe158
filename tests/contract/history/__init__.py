"""The history of the monitor keeps one contract, on a disk and in a bucket."""
