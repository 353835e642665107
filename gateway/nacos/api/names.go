package api

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// GroupSeparator stands between a group and the name of a service.
const GroupSeparator = "@@"

// Namespace is the id of a namespace as grains know it: "" and "public" are one.
func Namespace(asked string) string {
	if s := strings.TrimSpace(asked); s != "" {
		return s
	}
	return PublicNamespace
}

// CheckNamespace refuses what cannot be the id of a namespace; empty is public.
func CheckNamespace(id string) error {
	if len(id) > MaxNamespaceID || !only(id, namespaceByte) {
		return NamespaceIllegal.Errorf("Param 'namespaceId' is illegal, it has at most %d letters, digits, '_' and '-'", MaxNamespaceID)
	}
	return nil
}

// CheckNamespaceName refuses what a namespace cannot be shown as.
func CheckNamespaceName(name string) error {
	if utf8.RuneCountInString(name) > MaxNamespaceName || strings.ContainsAny(name, "@#$%^&*") {
		return NamespaceIllegal.Errorf("Param 'namespaceName' is illegal, it has at most %d characters and none of @#$%%^&*", MaxNamespaceName)
	}
	return nil
}

// CheckService refuses what cannot be the name of a service.
func CheckService(name string) error {
	bad := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Han, r) }
	if name == "" || len(name) > MaxServiceName || name[0] == '@' || strings.Contains(name, GroupSeparator) || strings.ContainsFunc(name, bad) {
		return ParameterInvalid.Errorf("Param 'serviceName' is illegal, illegal characters should not appear in the param and its length is at most %d", MaxServiceName)
	}
	return nil
}

// CheckGroup refuses what cannot be a group.
func CheckGroup(group string) error {
	if group == "" || len(group) > MaxGroup || !only(group, wordByte) {
		return ParameterInvalid.Errorf("Param 'group' is illegal, it has at most %d letters, digits and -_.:", MaxGroup)
	}
	return nil
}

// CheckDataID refuses what cannot be a data id.
func CheckDataID(id string) error {
	if id == "" || len(id) > MaxDataID || !only(id, wordByte) {
		return InvalidDataID.Errorf("Param 'dataId' is illegal, it has at most %d letters, digits and -_.:", MaxDataID)
	}
	return nil
}

// CheckCluster refuses what cannot be the name of a cluster of endpoints.
func CheckCluster(name string) error {
	if name == "" || len(name) > MaxCluster || !only(name, namespaceByte) {
		return ParameterInvalid.Errorf("Param 'clusterName' is illegal, it has at most %d letters, digits, '-' and '_'", MaxCluster)
	}
	return nil
}

// CheckAddress refuses what cannot be an address: an IP, or a host's name.
func CheckAddress(ip string, port int) error {
	bad := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '#' || r == '/' }
	if ip == "" || len(ip) > MaxIP || strings.ContainsFunc(ip, bad) {
		return ParameterInvalid.Errorf("Param 'ip' is illegal, it has 1 to %d characters of an address", MaxIP)
	}
	if port < 0 || port > MaxPort {
		return ParameterInvalid.Errorf("Param 'port' is illegal, the value should be between 0 and %d", MaxPort)
	}
	return nil
}

// wordByte is what groups, data ids, tenants, tags and apps are made of.
func wordByte(c byte) bool { return namespaceByte(c) || c == '.' || c == ':' }

// IsWord says whether s has at most so many bytes, all of them such as groups, data
// ids, tags and apps are made of. Empty is one.
func IsWord(s string, most int) bool { return len(s) <= most && only(s, wordByte) }

func namespaceByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

func only(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return true
}

// Key names a service or a config key.
type Key struct{ Namespace, Group, Name string }

// ServiceKey is the service that the parameters name, as every naming route has
// them: serviceName, which may be GROUP@@name, groupName and namespaceId.
func (r *Request) ServiceKey() (Key, error) {
	v := r.Values()
	key := SplitService(v.Need("serviceName"), v.Text("groupName"))
	key.Namespace = Namespace(v.Text("namespaceId"))
	return key, first(v.Err(), CheckNamespace(key.Namespace), CheckGroup(key.Group), CheckService(key.Name))
}

// SplitService is a name and a group without a namespace: the group in the name
// wins, and there is a default one.
func SplitService(name, group string) Key {
	if g, n, ok := strings.Cut(name, GroupSeparator); ok {
		return Key{Group: g, Name: n}
	}
	if group = strings.TrimSpace(group); group == "" {
		group = DefaultGroup
	}
	return Key{Group: group, Name: name}
}

// ServiceResource is what a naming route needs permission for; without a name, the
// group, and without a group, the namespace.
func ServiceResource(r *Request) Resource {
	v := r.Values()
	key := SplitService(v.Text("serviceName"), v.Text("groupName"))
	if key.Name == "" && v.Text("groupName") == "" {
		key.Group = ""
	}
	return Resource{Namespace(v.Text("namespaceId")), key.Group, Naming, key.Name}
}

// ConfigNames are the parameters that name a config key in one dialect. Handlers
// and permissions read the same ones.
type ConfigNames struct{ Namespace, Group string }

// The three dialects of config keys.
var (
	ConfigV1 = ConfigNames{"tenant", "group"}
	ConfigV2 = ConfigNames{"namespaceId", "group"}
	ConfigV3 = ConfigNames{"namespaceId", "groupName"}
)

// Key is the config key that the parameters name.
func (n ConfigNames) Key(r *Request) (Key, error) {
	v := r.Values()
	key := Key{Namespace(v.Text(n.Namespace)), v.Need(n.Group), v.Need("dataId")}
	return key, first(v.Err(), CheckNamespace(key.Namespace), CheckGroup(key.Group), CheckDataID(key.Name))
}

// Resource is what a config route needs permission for; without a data id, the
// group, and without a group, the namespace.
func (n ConfigNames) Resource(r *Request) Resource {
	v := r.Values()
	return Resource{Namespace(v.Text(n.Namespace)), v.Text(n.Group), Config, v.Text("dataId")}
}

// first is the first of errs that is one: checks read as a list.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
