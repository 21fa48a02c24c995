"""The listening test of a build: where its store is, what listeners are asked, what their votes say."""
