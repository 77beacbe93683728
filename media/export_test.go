package media

// AveragePlain is the slow twin of what Fit averages with.
var AveragePlain = averagePlain
