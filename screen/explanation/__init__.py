"""What a network looks at: maps of cells, averaged, compared with controls, and proved."""
