package placement

// filters in the order they are asked: the cheapest and most decisive first.
// A filter is a question: may this host run it?
var filters = [...]struct {
	name string
	keep func(Request, Host) bool
}{
	{"up", upFilter},
	{"host", hostFilter},
	{"availability_zone", zoneFilter},
	{"arch", archFilter},
	{"storage", storageFilter},
	{"ram", ramFilter},
	{"core", coreFilter},
	{"disk", diskFilter},
}

// weighers score the hosts that are left. Each number is normalised to 0..1 over
// these hosts and counts by its multiplier; a negative one turns it around.
var weighers = [...]struct {
	name       string
	multiplier float64
	weigh      func(Request, Host) float64
}{
	{"ram", 1, ramWeigh},
	{"cpu", 1, cpuWeigh},
	{"disk", 1, diskWeigh},
	{"building", -1, buildingWeigh},
}
