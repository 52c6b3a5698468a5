"""Many trainings at once: what each was and gave, ranked, and searched by a study."""
