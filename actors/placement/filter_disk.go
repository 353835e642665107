package placement

// diskFilter keeps hosts with room for the root disk, after overcommit.
func diskFilter(r Request, h Host) bool { return h.FreeDiskGiB() >= r.DiskGib }
