"""How sure a number is: intervals, tests, corrections for looking often."""
