"""The rule language: a closed, typed vocabulary over a person's attributes, answered true, false or unknown.

No tables here. ``language`` reads and checks, ``sql`` and ``closures`` are the two compilers (property tests hold them
equal), ``english`` says a rule in a sentence, ``explain`` traces it for one person, ``analysis`` proves what holds for everybody
possible.
"""
