package placement

// coreFilter keeps hosts with room for the virtual CPUs, after overcommit. A
// machine with more CPUs than the host has would only compete with itself.
func coreFilter(r Request, h Host) bool {
	return h.FreeVCPUs() >= int64(r.Vcpus) && r.Vcpus <= h.Vcpus
}
