package nacos

// What a test and a client's process say to each other, a line of JSON each.

// request is an order to a client; every order is answered.
type request struct {
	ID       int       `json:"id"`
	Do       string    `json:"do"` // one of the orders below
	Service  string    `json:"service,omitempty"`
	Instance *instance `json:"instance,omitempty"`
	Key      string    `json:"key,omitempty"` // data id
	Content  string    `json:"content,omitempty"`
}

// The orders.
const (
	doRegister   = "register"
	doUpdate     = "update"
	doDeregister = "deregister"
	doList       = "list"
	doServices   = "services" // the names that there are
	doSubscribe  = "subscribe"
	doPublish    = "publish"
	doGet        = "get"
	doListen     = "listen"
	doRemove     = "remove"
)

// answer is what a client says to an order, or without an ID on its own: that a
// service or a key has changed.
type answer struct {
	ID        int        `json:"id,omitempty"`
	Error     string     `json:"error,omitempty"`
	Instances []instance `json:"instances,omitempty"`
	Content   string     `json:"content,omitempty"`
	Names     []string   `json:"names,omitempty"`
	Service   string     `json:"service,omitempty"` // of a change
	Key       string     `json:"key,omitempty"`     // of a change
	Ready     bool       `json:"ready,omitempty"`   // the first thing that is said
}

// instance is an instance of a service.
type instance struct {
	IP       string            `json:"ip"`
	Port     uint64            `json:"port"`
	Weight   float64           `json:"weight"`
	Healthy  bool              `json:"healthy"`
	Metadata map[string]string `json:"metadata,omitempty"`

	Persistent bool `json:"persistent,omitempty"` // of what is registered; lists leave it out
}

// access is where a client finds the registry, and as whom.
type access struct {
	Kind     string `json:"kind"`
	Host     string `json:"host"`
	Port     uint64 `json:"port"`
	Username string `json:"username"`
	Password string `json:"password"`
	Dir      string `json:"dir"` // for its logs and caches
}

// accessVariable holds the access, in JSON, of a process that is to be a client.
const accessVariable = "TROUPE_NACOS_CLIENT"

// group is where everything stands.
const group = "DEFAULT_GROUP"
