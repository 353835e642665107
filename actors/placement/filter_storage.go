package placement

// storageFilter keeps hosts that reach the storage on which the disk is, if it is
// there already.
func storageFilter(r Request, h Host) bool { return r.Storage == "" || r.Storage == h.Storage }
