"""The REST API of a running platform, typed: its messages, and a client that sends them.

The pages' server and the client read and write the same models, so neither can say what the other
does not understand.
"""
