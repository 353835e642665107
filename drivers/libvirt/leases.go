package libvirt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// saveLeases keeps what the network must know of the guest with its files: the
// network may have forgotten it when the guest is started again, for its own
// files do not outlast a reboot of the host.
func saveLeases(path string, spec *messages.DomainSpec) error {
	leases := []drivers.Lease{}
	for _, n := range spec.GetNics() {
		leases = append(leases, drivers.Lease{
			InstanceID: spec.GetInstanceId(), PortID: n.GetPortId(), MAC: n.GetMac(),
			Address: n.GetAddress(), Hostname: leaseHost(spec),
		})
	}
	text, err := json.Marshal(leases)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func readLeases(path string) (leases []drivers.Lease, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &leases)
	}
	if err != nil {
		return nil, fmt.Errorf("leases: %w", err)
	}
	return leases, nil
}

// tellNetwork makes the network know the guest whose leases were saved.
func (c *Config) tellNetwork(ctx context.Context, id string) error {
	leases, err := readLeases(c.file(id, leasesName))
	if err != nil || len(leases) == 0 || c.Network == nil {
		return err
	}
	return c.Network.Add(ctx, id, leases)
}
