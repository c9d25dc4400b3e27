"""What Ledgerline costs, as ratios to what the databases themselves need. See docs/benchmarks.md."""
