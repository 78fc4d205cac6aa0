"""The nouns of the loop, and the ports its parts are plugged into."""
