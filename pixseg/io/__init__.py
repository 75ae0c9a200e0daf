"Files, images, folders, data sets: what stands between a disk and an array."
