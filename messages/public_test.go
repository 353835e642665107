package messages

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// TestAudiences: every row is a message, and what projects may send has a field
// that holds it to one.
func TestAudiences(t *testing.T) {
	for name, who := range audiences {
		full := File_envelope_proto.Package().Append(name)
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(full)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m, ok := d.(protoreflect.MessageDescriptor)
		if !ok || AudienceOf(full) != who {
			t.Errorf("%s is %v", name, d)
			continue
		}
		f := m.Fields().ByName("scope")
		if who == Everybody && (f == nil || f.Kind() != protoreflect.StringKind) {
			t.Errorf("%s goes to projects and has no scope", name)
		}
	}
}

func TestPublic(t *testing.T) { // table: one row, one message
	for _, m := range []proto.Message{
		&DriverDone{}, &DomainReported{}, &HostsAnswered{}, &ClaimQuota{}, &ReleaseQuota{}, &QuotaGranted{}, &PortsAllocated{},
		&AllocatePorts{}, &OrderHost{}, &Activated{}, &Nudged{}, &DrainNode{}, &LeaveNode{}, &GetBoard{}, &BeginImageUpload{},
		&ImageUploaded{}, &ScheduleInstance{}, &InstanceView{}, &Envelope{}, &IssuedCertificate{},
		&Woken{}, &KeepOwners{}, &DropOwner{}, &EndpointsProbed{}, &AssignRegistryRole{}, &AddRegistryPermission{}, &GetRegistryAccess{},
	} {
		if Public(m) {
			t.Errorf("%T is public", m)
		}
	}
	for _, m := range []proto.Message{&GetInstance{}, &CreateInstance{}, &GetNodeStatus{}, &GetWhereabouts{}, &OrderInstance{}, &PublishConfig{}, &GetService{}, &AcquireLock{}} {
		if !Public(m) {
			t.Errorf("%T is not public", m)
		}
	}
	for _, name := range []protoreflect.FullName{"", "GetInstance", "other.GetInstance", "troupe.x.GetInstance", "troupe.GetInstanceX"} {
		if AudienceOf(name) != Nobody {
			t.Errorf("%q is for %v", name, AudienceOf(name))
		}
	}
}

func TestConfine(t *testing.T) { // table: one row, one message of a client of project p
	for name, tt := range map[string]struct {
		m, want proto.Message // want nil: Denied
	}{
		"filled in":       {&GetInstance{}, &GetInstance{Scope: "p"}},
		"said already":    {&GetInstances{Scope: "p", After: "x"}, &GetInstances{Scope: "p", After: "x"}},
		"another":         {&GetInstance{Scope: "q"}, nil},
		"another's":       {&OrderInstance{ProjectId: "q"}, nil},
		"another user":    {&ActOnInstance{UserId: "root"}, &ActOnInstance{Scope: "p", ProjectId: "p", UserId: "shop"}},
		"an order":        {&OrderInstance{Name: "x"}, &OrderInstance{Name: "x", Scope: "p", ProjectId: "p", UserId: "shop"}},
		"a forced host":   {&OrderInstance{Host: "h1"}, nil},
		"nothing to fill": {&GetNodeStatus{}, &GetNodeStatus{}},
	} {
		err := Confine(tt.m, "p", "shop")
		switch {
		case tt.want == nil && !errors.Is(err, Denied):
			t.Errorf("%s: got %v", name, err)
		case tt.want != nil && (err != nil || !proto.Equal(tt.m, tt.want)):
			t.Errorf("%s: got %v, %v", name, tt.m, err)
		}
	}
}
