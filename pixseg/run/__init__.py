"Whole runs: training into a folder, prediction of folders, judging a split."
