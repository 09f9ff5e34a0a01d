"""Residency: which experts stand on crossbars, where there are crossbars for only a part of them.

A missed expert is written into crossbars, or computed by digital units from DRAM (*bypassed*).
Analysis alone: programs have no instruction that writes a crossbar. A choice that stays is run all
the same, as its other experts are digital ones of a compilation.
"""
