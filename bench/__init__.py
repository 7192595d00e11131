"""What the product costs, measured against what cannot be avoided: `make bench`.

Stands outside the path of an alert and is not shipped. Every result is a ratio of two things that
were measured in turns in the same run, because a machine that others use has no constant speed;
docs/performance.md says what is compared with what.
"""
