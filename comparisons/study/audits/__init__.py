"""Are the faults of a hand-written EM named, and are right ones left alone? Audits of pairs made of the families of the house.

What a pair is made of stands in `house` and `programs`, what is broken in `slips`, one audit to a row of the table in `row`.
"""
