"""What commands show of a build: plan, status, report, explain."""
