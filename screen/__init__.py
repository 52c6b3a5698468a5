"""The engine: verbs, settings, streaming, ledger, statistics, hits, report."""
