"""Measurements that print ratios: `make bench`. Absolute figures of a shared machine mean little; those of one run can
be compared.
"""
