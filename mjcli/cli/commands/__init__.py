"""One file per subcommand: read options, call a job, hand the result to the output."""
