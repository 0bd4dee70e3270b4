"""From counts to verdicts in words.

The sites of a recorder enter; a `Report` with layers, verdicts, advice and a table leaves. Read `report` first, then
`verdicts`, where every judgement is made.
"""
