"""Votes from elsewhere: tasks handed to vendors and to Label Studio, and what comes back. Pure, apart from the files named."""
