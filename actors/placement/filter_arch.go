package placement

// archFilter keeps hosts of the architecture that the image needs, if it names one.
func archFilter(r Request, h Host) bool { return r.Arch == "" || r.Arch == h.Arch }
