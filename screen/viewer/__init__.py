"""The viewer of the verb view: a run's report and wells for one browser, read only."""
