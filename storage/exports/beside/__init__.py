"""Files that exports copy beside their data, for consumers to import: they need nothing of this project."""
