package placement

// upFilter keeps hosts that are connected and that no operator has disabled.
func upFilter(_ Request, h Host) bool { return h.Up && !h.Disabled }
