package placement

// hostFilter keeps the one host that an operator forced, if one was.
func hostFilter(r Request, h Host) bool { return r.Host == "" || r.Host == h.Name }
