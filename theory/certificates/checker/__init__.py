"""The checker of saved certificates; this room imports the files of theory.certificates.

`verify` walks through the boxes of a certificate, `squares` through trees of rectangles, `outside` checks the witness
and the pairs outside the box.
"""
