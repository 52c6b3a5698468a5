"""How a network is taught: the plan, the lesson, the course of epochs, what it predicts."""
