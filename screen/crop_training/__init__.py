"""Teaching a network on labelled crops, and judging it on groups it never saw."""
