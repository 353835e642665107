package guestdata

import (
	"strings"

	"github.com/troupe-cloud/troupe/messages"
)

// ec2Doc is ec2/latest/meta-data.json; each field is also a path of the service.
type ec2Doc struct {
	AMIID          string            `json:"ami-id"`
	LaunchIndex    int               `json:"ami-launch-index"`
	BlockDevices   map[string]string `json:"block-device-mapping"`
	Hostname       string            `json:"hostname"`
	InstanceAction string            `json:"instance-action"`
	InstanceID     string            `json:"instance-id"`
	InstanceType   string            `json:"instance-type"`
	LocalHostname  string            `json:"local-hostname"`
	LocalIPv4      string            `json:"local-ipv4"`
	MAC            string            `json:"mac,omitempty"`
	Placement      ec2Placement      `json:"placement"`
	PublicHostname string            `json:"public-hostname"`
	PublicIPv4     string            `json:"public-ipv4"`
	PublicKeys     map[string]ec2Key `json:"public-keys,omitempty"`
	ReservationID  string            `json:"reservation-id"`
	SecurityGroups []string          `json:"security-groups"`
}

type ec2Placement struct {
	AvailabilityZone string `json:"availability-zone"`
}

type ec2Key struct {
	Name    string `json:"_name"`
	OpenSSH string `json:"openssh-key"`
}

func ec2Data(v *messages.InstanceView) ec2Doc {
	d := ec2Doc{
		AMIID:          ec2ID("ami", v.GetImage().GetId()),
		BlockDevices:   map[string]string{"ami": "vda", "root": "/dev/vda"},
		Hostname:       hostname(v),
		InstanceAction: "none",
		InstanceID:     ec2ID("i", v.GetId()),
		InstanceType:   v.GetFlavor().GetName(),
		LocalHostname:  hostname(v),
		Placement:      ec2Placement{v.GetAvailabilityZone()},
		PublicHostname: hostname(v),
		ReservationID:  v.GetReservationId(),
		SecurityGroups: v.GetSecurityGroups(),
	}
	if d.SecurityGroups == nil {
		d.SecurityGroups = []string{}
	}
	if ports := v.GetPorts(); len(ports) > 0 {
		d.LocalIPv4, d.MAC = ports[0].GetAddress(), ports[0].GetMac()
	}
	if key := v.GetPublicKey(); key != "" && keyType(key) == "ssh" {
		d.PublicKeys = map[string]ec2Key{"0": {Name: v.GetKeyName(), OpenSSH: key}}
	}
	return d
}

// ec2ID makes the id that EC2 tools accept, with 17 hexadecimal digits, of the
// first digits of a UUID.
func ec2ID(prefix, uuid string) string {
	const digits = 17
	hex := strings.ReplaceAll(uuid, "-", "")
	if len(hex) > digits {
		hex = hex[:digits]
	}
	return prefix + "-" + hex
}
