package placement

// buildingWeigh counts orders under way; its multiplier is negative, for a busy
// host builds slowly.
func buildingWeigh(_ Request, h Host) float64 { return float64(h.Building) }
