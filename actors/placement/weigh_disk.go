package placement

// diskWeigh prefers hosts with disk to spare.
func diskWeigh(_ Request, h Host) float64 { return float64(h.FreeDiskGiB()) }
