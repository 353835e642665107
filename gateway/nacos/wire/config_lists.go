package wire

// ListenerStatus is who listens in v1, by address or by key. The misspelling is
// the dialect's.
type ListenerStatus struct {
	CollectStatus int               `json:"collectStatus"`
	Status        map[string]string `json:"lisentersGroupkeyStatus"`
}

// ListenerInfo is who listens in v3, by address ("config") or by key ("ip").
type ListenerInfo struct {
	QueryType string            `json:"queryType"`
	Status    map[string]string `json:"listenersStatus"`
}

// Transfer is what became of an import or of a clone.
type Transfer struct {
	Succeeded         int            `json:"succCount"`
	Skipped           int            `json:"skipCount"`
	Failures          []TransferKey  `json:"failData,omitempty"`
	Skips             []TransferKey  `json:"skipData,omitempty"`
	UnrecognizedCount int            `json:"unrecognizedCount,omitempty"`
	Unrecognized      []TransferItem `json:"unrecognizedData,omitempty"`
}

// TransferKey is a key that was not written.
type TransferKey struct {
	DataID string `json:"dataId"`
	Group  string `json:"group"`
}

// TransferItem is an entry of an archive that was not understood.
type TransferItem struct {
	Name string `json:"itemName"`
}

// Capacity is how much a group or a namespace may hold and holds; 0 of a limit:
// there is none.
type Capacity struct {
	ID           int64  `json:"id"`
	Group        string `json:"group,omitempty"`
	Tenant       string `json:"tenant,omitempty"`
	Quota        int    `json:"quota"`
	Usage        int    `json:"usage"`
	MaxSize      int    `json:"maxSize"` // bytes of one content
	MaxAggrCount int    `json:"maxAggrCount"`
	MaxAggrSize  int    `json:"maxAggrSize"`
}
