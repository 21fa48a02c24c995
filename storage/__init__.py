"""Workspace, blobs, tables, shards and releases: everything that touches files or buckets."""
