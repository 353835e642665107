package compute

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// specRule is what the value of a known extra spec must be.
type specRule struct {
	key   *regexp.Regexp // the whole key
	value func(string) bool
	want  string
}

// specNamespaces are those whose keys are known: another key in one of them is
// a mistake. Keys of other namespaces, and without one, are free.
var specNamespaces = []string{
	"accel", "aggregate_instance_extra_specs", "capabilities", "hw", "hw_rng", "hw_video", "os",
	"pci_passthrough", "powervm", "quota", "resources", "trait", "vmware",
}

// specRules are the known extra specs, with what they take, as the compute API
// checks them from 2.86 on. Of resource classes and traits only the form is
// known here.
var specRules = slices.Concat(
	rules(anyText, "a text",
		"accel:device_profile", "aggregate_instance_extra_specs:.+", `capabilities:\w+(:\w+)*`,
		"vmware:hw_version", "vmware:storage_policy"),
	rules(isBool, "a boolean",
		"hw:cpu_realtime", "hw:hide_hypervisor_id", "hw:locked_memory", "hw:boot_menu", "hw:vif_multiqueue_enabled",
		"hw:mem_encryption", "hw:pmu", "hw:virtio_packed_ring", "hw:ephemeral_encryption", "hw_rng:allowed"),
	rules(atLeastInt(1), "an integer of at least 1",
		"hw:numa_nodes", `hw:numa_mem\.\d+`, "hw:cpu_sockets", "hw:cpu_cores", "hw:cpu_threads",
		"hw:cpu_max_sockets", "hw:cpu_max_cores", "hw:cpu_max_threads"),
	rules(atLeastInt(0), "an integer of at least 0",
		"hw:serial_port_count", "hw:redirected_usb_ports", "hw_rng:rate_bytes", "hw_rng:rate_period",
		"hw_video:ram_max_mb", "quota:(cpu|memory|disk_io|vif)_(limit|shares_share)", "quota:cpu_(shares|period)",
		"quota:disk_(read|write|total)_(bytes|iops)_sec", "quota:vif_(inbound|outbound)_(average|peak|burst)",
		"resources[a-zA-Z0-9_-]{0,64}:[A-Z0-9_]+"),
	rules(atLeastInt(-1<<63), "an integer", "quota:(cpu|memory|disk_io|vif)_reservation", "quota:cpu_quota"),
	rules(matching(`(\^)?\d+((-\d+)?(,\^?\d+(-\d+)?)?)*`), "a list of CPUs",
		"hw:cpu_realtime_mask", "hw:cpu_dedicated_mask", `hw:numa_cpus\.\d+`),
	rules(matching(`(large|small|any|\d+([kKMGT]i?)?(b|bit|B)?)`), "a page size", "hw:mem_page_size"),
	rules(matching(`([a-zA-Z0-9_]+(,)?)+`), "a list of names", "hw:pmem"),
	rules(matching(`[^:]+:\d+(?:\s*,\s*[^:]+:\d+)*`), "a list of alias:count", "pci_passthrough:alias"),
	choice("hw:cpu_policy", "dedicated", "shared", "mixed"),
	choice("hw:cpu_thread_policy", "prefer", "isolate", "require"),
	choice("hw:emulator_threads_policy", "isolate", "share"),
	choice("hw:pci_numa_affinity_policy", "required", "preferred", "legacy", "socket"),
	choice("hw:mem_encryption_model", "amd-sev", "amd-sev-es"),
	choice("hw:tpm_model", "tpm-tis", "tpm-crb"),
	choice("hw:tpm_version", "1.2", "2.0"),
	choice("hw:tpm_secret_security", "user", "host", "deployment"),
	choice("hw:watchdog_action", "none", "pause", "poweroff", "reset", "disabled"),
	choice("hw:viommu_model", "intel", "smmuv3", "virtio", "auto"),
	choice("hw:ephemeral_encryption_format", "luks"),
	choice("os:secure_boot", "disabled", "required", "optional"),
	choice("quota:(cpu|memory|disk_io|vif)_shares_level", "custom", "high", "normal", "low"),
	choice("trait[a-zA-Z0-9_-]{0,64}:[A-Z0-9_]+", "required", "forbidden"),
)

func rules(value func(string) bool, want string, keys ...string) []specRule {
	out := make([]specRule, 0, len(keys))
	for _, k := range keys {
		out = append(out, specRule{regexp.MustCompile("^(" + k + ")$"), value, want})
	}
	return out
}

func choice(key string, values ...string) []specRule {
	return rules(func(s string) bool { return slices.Contains(values, s) }, "one of "+strings.Join(values, ", "), key)
}

func anyText(string) bool { return true }

func isBool(s string) bool {
	_, err := truth(s)
	return err == nil
}

func atLeastInt(low int64) func(string) bool {
	return func(s string) bool {
		n, err := strconv.ParseInt(s, 10, 64)
		return err == nil && n >= low
	}
}

func matching(pattern string) func(string) bool {
	return regexp.MustCompile("^(" + pattern + ")$").MatchString
}

// checkSpec refuses an unknown key of a known namespace, and a value that its
// key does not take.
func checkSpec(key, value string) error {
	namespace, _, ok := strings.Cut(key, ":")
	if !ok || !slices.ContainsFunc(specNamespaces, func(n string) bool {
		return namespace == n || (n == "resources" || n == "trait") && strings.HasPrefix(namespace, n)
	}) {
		return nil
	}
	for _, r := range specRules {
		if !r.key.MatchString(key) {
			continue
		}
		if !r.value(value) {
			return badRequest("Validation failed; '%s' is not a valid value of extra spec '%s', which takes %s.", clip(value), clip(key), r.want)
		}
		return nil
	}
	return badRequest("Validation failed; extra spec '%s' does not appear to be a valid extra spec.", clip(key))
}
