"""The listening-test app: pages for listeners and for those who run the test. Knows no SQL; the store decides what counts."""
