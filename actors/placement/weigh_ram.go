package placement

// ramWeigh prefers empty hosts; a negative multiplier packs instead of spreading.
func ramWeigh(_ Request, h Host) float64 { return float64(h.FreeRAMMiB()) }
