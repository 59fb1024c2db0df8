"""One file per vendor; each knows its vendor and the contract, nothing else."""
