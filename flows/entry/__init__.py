"""The command line and what it starts: checks beforehand, the stages as Prefect tasks, re-annotation."""
