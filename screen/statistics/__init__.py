"""Statistics of a screen: scales, plate quality, replicates, error rates and the joint decision; arrays and tables in, numbers out."""
