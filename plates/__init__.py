"""Files to labelled data and back: wells, plate maps, compounds, stores, virtual plates."""
