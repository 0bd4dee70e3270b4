"""Losses other than squares.

A checked request enters; a fit under Huber's or Tukey's loss (`robust`) or of a quantile (`quantile`) leaves. Read
`robust` first: it calls the search with changing weights.
"""
