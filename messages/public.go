package messages

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Audience is which programs with a client's certificate may send a message.
type Audience uint8

const (
	Nobody    Audience = iota // it is said between nodes, or between grains
	Operators                 // those that no project confines
	Everybody                 // also those of one project: Confine holds them to it
)

// audiences are the commands and queries that are meant for users. Whatever is
// not here is refused: facts, claims, orders, what nodes tell each other, and all
// about users and passwords, for which there is the identity API.
var audiences = map[protoreflect.Name]Audience{
	// Of the cloud as a whole.
	"GetMembers": Everybody, "OrderInstance": Everybody, "GetInstances": Everybody, "GetInstanceConsole": Everybody,
	"GetFlavors": Everybody, "GetImages": Everybody, "GetNetworks": Everybody,

	// Of one grain.
	"GetInstance": Everybody, "GetInstanceActions": Everybody, "ActOnInstance": Everybody, "UpdateInstance": Everybody,
	"GetFlavor": Everybody, "GetImage": Everybody, "GetNetwork": Everybody, "GetPort": Everybody,

	"GetGroup": Everybody, "UpdateGroup": Everybody, "RollbackGroup": Everybody, "DeleteGroup": Everybody,

	"CreateGroup": Operators, "RollGroup": Operators,
	"CreateInstance": Operators, "EvacuateInstance": Operators, "GetDecision": Operators,
	"CreateFlavor": Operators, "UpdateFlavor": Operators, "DeleteFlavor": Operators, "SetExtraSpecs": Operators, "SetFlavorAccess": Operators,
	"UpdateImage": Operators, "DeleteImage": Operators, "SetImageActive": Operators,
	"AddImageMember": Operators, "UpdateImageMember": Operators, "RemoveImageMember": Operators,
	"CreateNetwork": Operators, "UpdateNetwork": Operators, "DeleteNetwork": Operators,
	"CreateSubnet": Operators, "UpdateSubnet": Operators, "DeleteSubnet": Operators,
	"CreatePort": Operators, "UpdatePort": Operators, "DeletePort": Operators,
	"CreateKeypair": Operators, "DeleteKeypair": Operators, "GetKeypair": Operators,
	"GetQuota": Operators, "SetQuota": Operators, "ResetQuota": Operators,
	"GetHost": Operators, "SetHost": Operators, "DeleteHost": Operators, "GetConsole": Operators,

	// Of the registry and the configuration. Who may do what there is not said like
	// this, and owners of endpoints are known to the nodes that they are connected to.
	"RegisterEndpoints": Operators, "DeregisterEndpoints": Operators, "UpdateEndpoints": Operators, "RenewEndpoints": Operators,
	"SetService": Operators, "SetCluster": Operators, "DeleteService": Operators, "GetService": Operators,
	"PublishConfig": Operators, "RemoveConfig": Operators, "UpdateConfigLabels": Operators,
	"GetConfig": Operators, "GetConfigDigest": Operators, "GetConfigDetail": Operators, "GetConfigChange": Operators,
	"CreateNamespace": Operators, "UpdateNamespace": Operators, "DeleteNamespace": Operators, "GetNamespace": Operators,
	"AcquireLock": Operators, "ReleaseLock": Operators, "GetLock": Operators,

	// Of a node.
	"GetNodeStatus": Operators, "GetWhereabouts": Operators,
}

// AudienceOf says who may send the message of that full name.
func AudienceOf(name protoreflect.FullName) Audience {
	if name.Parent() != File_envelope_proto.Package() {
		return Nobody
	}
	return audiences[name.Name()]
}

// Public says whether some clients may send m.
func Public(m proto.Message) bool {
	return AudienceOf(m.ProtoReflect().Descriptor().FullName()) != Nobody
}

// Confine holds m, which Everybody may send, to one project and one user. What m
// says of another project is Denied; what it leaves open is filled in.
func Confine(m proto.Message, project, user string) error {
	r := m.ProtoReflect()
	fields := r.Descriptor().Fields()
	for _, name := range []protoreflect.Name{"scope", "project_id"} {
		f := fields.ByName(name)
		if f == nil {
			continue
		}
		if said := r.Get(f).String(); said != "" && said != project {
			return fmt.Errorf("the certificate is of project %s, not of %.80q: %w", project, said, Denied)
		}
		r.Set(f, protoreflect.ValueOfString(project))
	}
	if f := fields.ByName("user_id"); f != nil {
		r.Set(f, protoreflect.ValueOfString(user))
	}
	if o, ok := m.(*OrderInstance); ok && o.GetHost() != "" {
		return fmt.Errorf("only operators choose the host: %w", Denied)
	}
	return nil
}
