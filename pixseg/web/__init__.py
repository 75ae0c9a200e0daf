"Widgets for a notebook and pages for a browser."
