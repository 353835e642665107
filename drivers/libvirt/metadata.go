package libvirt

import (
	"encoding/xml"
	"fmt"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// Our element in a domain's metadata. What has it is ours; nothing else is.
const (
	metadataURI    = "https://github.com/troupe-cloud/troupe/xml/instance/1"
	metadataPrefix = "troupe"
	namePrefix     = "troupe-" // of a domain's name; the instance id follows
)

// metadata is what we write into a domain. The fence is what counts; the rest is for
// people who look with virsh.
type metadata struct {
	XMLName   xml.Name
	Namespace string `xml:"xmlns:troupe,attr,omitempty"`
	Instance  string `xml:"id,attr"`
	Order     uint64 `xml:"order,attr"` // the newest seen, as the epoch
	Epoch     uint64 `xml:"epoch,attr,omitempty"`
	Project   string `xml:"project,attr,omitempty"`
	User      string `xml:"user,attr,omitempty"`
	Name      string `xml:"name,attr,omitempty"`
	Flavor    string `xml:"flavor,attr,omitempty"`
	Image     string `xml:"image,attr,omitempty"`
}

func metadataOf(s *messages.DomainSpec) metadata {
	return metadata{
		Instance: s.GetInstanceId(), Order: s.GetOrder(), Epoch: s.GetEpoch(), Project: s.GetProjectId(), User: s.GetUserId(),
		Name: s.GetName(), Flavor: s.GetFlavorName(), Image: s.GetImageId(),
	}
}

func (m metadata) fence() drivers.Fence { return drivers.Fence{Epoch: m.Epoch, Order: m.Order} }

// definition is the element as a domain's definition has it.
func (m metadata) definition() (string, error) {
	m.XMLName.Local, m.Namespace = metadataPrefix+":instance", metadataURI
	out, err := xml.Marshal(m)
	return string(out), err
}

// update is the element as virDomainSetMetadata takes it, which adds prefix and
// namespace itself.
func (m metadata) update() (string, error) {
	m.XMLName, m.Namespace = xml.Name{Local: "instance"}, ""
	out, err := xml.Marshal(m)
	return string(out), err
}

// parseMetadata reads what virDomainGetMetadata answers.
func parseMetadata(text string) (metadata, error) {
	var m metadata
	if err := xml.Unmarshal([]byte(text), &m); err != nil {
		return m, fmt.Errorf("metadata of a domain: %w: %w", err, messages.Internal)
	}
	if m.XMLName.Local != "instance" || !drivers.ValidID(m.Instance) {
		return m, fmt.Errorf("metadata of a domain names no instance: %w", messages.Internal)
	}
	return m, nil
}
