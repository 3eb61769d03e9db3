"""Benchmarks: each part beside its reference, in the same run, interleaved (CONTRACTS.md, *Benchmarks*)."""
