package h2

import "encoding/binary"

// Frames, flags and settings, of RFC 9113.
const (
	frameData         = 0
	frameHeaders      = 1
	frameReset        = 3
	frameSettings     = 4
	framePush         = 5
	framePing         = 6
	frameGoAway       = 7
	frameWindow       = 8
	frameContinuation = 9

	flagAck        = 0x1
	flagEndStream  = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20

	settingTable   = 1
	settingStreams = 3
	settingWindow  = 4
	settingHeaders = 6

	codeNoError  = 0
	codeProtocol = 1
	codeRefused  = 7
	codeFlood    = 11

	frameHead = 9
	maxWindow = 1<<31 - 1
)

type head struct {
	length      int
	kind, flags byte
	stream      uint32
}

func parseHead(b []byte) head {
	return head{
		length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]), kind: b[3], flags: b[4],
		stream: binary.BigEndian.Uint32(b[5:]) & maxWindow,
	}
}

func appendHead(b []byte, length int, kind, flags byte, stream uint32) []byte {
	b = append(b, byte(length>>16), byte(length>>8), byte(length), kind, flags)
	return binary.BigEndian.AppendUint32(b, stream)
}

func appendSettings(b []byte, maxCalls int) []byte {
	b = appendHead(b, 4*6, frameSettings, 0, 0)
	for _, s := range []struct {
		id    uint16
		value uint32
	}{{settingTable, headerTable}, {settingStreams, uint32(maxCalls)}, {settingWindow, streamWindow}, {settingHeaders, maxHeaderBlock}} {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(b, s.id), s.value)
	}
	return b
}

func appendWindow(b []byte, stream uint32, more int) []byte {
	return binary.BigEndian.AppendUint32(appendHead(b, 4, frameWindow, 0, stream), uint32(more))
}

func appendReset(b []byte, stream, code uint32) []byte {
	return binary.BigEndian.AppendUint32(appendHead(b, 4, frameReset, 0, stream), code)
}

func appendGoAway(b []byte, last, code uint32) []byte {
	b = appendHead(b, 8, frameGoAway, 0, 0)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, last), code)
}

// unpad takes the padding, and of headers the priority, off a payload.
func unpad(f head, b []byte) ([]byte, error) {
	pad := 0
	if f.flags&flagPadded != 0 {
		if len(b) < 1 {
			return nil, errProtocol
		}
		pad, b = int(b[0]), b[1:]
	}
	if f.kind == frameHeaders && f.flags&flagPriority != 0 {
		if len(b) < 5 {
			return nil, errProtocol
		}
		b = b[5:]
	}
	if pad > len(b) {
		return nil, errProtocol
	}
	return b[:len(b)-pad], nil
}
