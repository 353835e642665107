package placement

// cpuWeigh prefers hosts with virtual CPUs to spare.
func cpuWeigh(_ Request, h Host) float64 { return float64(h.FreeVCPUs()) }
