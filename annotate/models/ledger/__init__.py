"""The durable record of every request and reply, of spend and budget; shared by several processes."""
