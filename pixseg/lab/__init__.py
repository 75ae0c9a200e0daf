"Measurements: which knob matters, and where the time goes."
