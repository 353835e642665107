package placement

// zoneFilter keeps hosts of the availability zone asked for, if one was.
func zoneFilter(r Request, h Host) bool {
	return r.AvailabilityZone == "" || r.AvailabilityZone == h.AvailabilityZone
}
