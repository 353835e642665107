package placement

// ramFilter keeps hosts with room for the memory, after overcommit.
func ramFilter(r Request, h Host) bool { return h.FreeRAMMiB() >= r.RamMib }
