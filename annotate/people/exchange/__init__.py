"""Exchange of tasks and votes with vendors and Label Studio, as files."""
