package guestdata

import "github.com/troupe-cloud/troupe/messages"

// metaDoc is openstack/latest/meta_data.json.
type metaDoc struct {
	AdminPass        string            `json:"admin_pass,omitempty"`
	AvailabilityZone string            `json:"availability_zone"`
	DedicatedCPUs    []int             `json:"dedicated_cpus"`
	Devices          []string          `json:"devices"`
	Hostname         string            `json:"hostname"`
	Keys             []keyDoc          `json:"keys,omitempty"`
	LaunchIndex      int               `json:"launch_index"`
	Meta             map[string]string `json:"meta"`
	Name             string            `json:"name"`
	ProjectID        string            `json:"project_id"`
	PublicKeys       map[string]string `json:"public_keys,omitempty"`
	UUID             string            `json:"uuid"`
}

type keyDoc struct {
	Data string `json:"data"`
	Name string `json:"name"`
	Type string `json:"type"`
}

func metaData(v *messages.InstanceView) metaDoc {
	d := metaDoc{
		AdminPass:        v.GetAdminPassword(),
		AvailabilityZone: v.GetAvailabilityZone(),
		DedicatedCPUs:    []int{},
		Devices:          []string{},
		Hostname:         hostname(v),
		Meta:             v.GetMetadata(),
		Name:             v.GetName(),
		ProjectID:        v.GetProjectId(),
		UUID:             v.GetId(),
	}
	if d.Meta == nil {
		d.Meta = map[string]string{}
	}
	if key := v.GetPublicKey(); key != "" {
		d.Keys = []keyDoc{{Data: key, Name: v.GetKeyName(), Type: keyType(key)}}
		d.PublicKeys = map[string]string{v.GetKeyName(): key}
	}
	return d
}

// keyType tells a certificate (PEM) from an SSH key, which has one line.
func keyType(key string) string {
	if len(key) > 10 && key[:10] == "-----BEGIN" {
		return "x509"
	}
	return "ssh"
}
