"""Stand-ins that speak a real wire format, to try, to demo and to test against."""
