package placement

// upFilter keeps hosts that are connected, and that no operator has disabled or
// declared down.
func upFilter(_ Request, h Host) bool { return h.Up && !h.Disabled && !h.ForcedDown }
