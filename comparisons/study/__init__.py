"""Studies of the suite itself: how often a verdict is wrong, which faults it finds, where EM may be trusted.

The whole pipeline is run on many simulated data sets. What is simulated stands in `settings`, what is broken on purpose in
`faults`, one data set from simulation to a row of the table in `replicate` and `calibration`, running them all in
`campaign`, and what the tables come to in `rates` and `summary`.
"""
