"""What a reply says, read strictly: every format that a task asks for."""
