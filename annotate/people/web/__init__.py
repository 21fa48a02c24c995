"""The listening-test app: pages for listeners and admins. It uses no SQL; the store decides which votes count."""
