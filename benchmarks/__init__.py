"""Where the time goes: ratios from one run, printed and never asserted."""
