package membership

// What tests outside of the package reach into.
var (
	EncodeRecord = encodeRecord
	DecodeRecord = decodeRecord
)
