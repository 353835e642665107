package network

import (
	"bytes"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/troupe-cloud/troupe/messages"
)

// A block notes which of 1024 neighbouring addresses are in use, a bit each. The
// blocks of a subnet are rows of a table, absent while all are free: giving out
// an address changes one small row, however large the subnet is.
type block []byte

const (
	blockAddresses = 1024
	blockBytes     = blockAddresses / 8
)

var fullBlock = bytes.Repeat([]byte{0xff}, blockBytes)

func blockKey(sub Subnet, n uint32) string { return fmt.Sprintf("%s/%x", sub.ID, n) }

func (b block) has(i uint32) bool { return len(b) > 0 && b[i/8]&(1<<(i%8)) != 0 }

// with is a copy of b in which address i is in use, or not.
func (b block) with(i uint32, used bool) block {
	c := slices.Clone(b)
	if c == nil {
		c = make(block, blockBytes)
	}
	if used {
		c[i/8] |= 1 << (i % 8)
	} else {
		c[i/8] &^= 1 << (i % 8)
	}
	return c
}

// free is the first free address from i on; blockAddresses if there is none.
func (b block) free(i uint32) uint32 {
	if len(b) == 0 {
		return i
	}
	if bytes.Equal(b, fullBlock) {
		return blockAddresses
	}
	for i < blockAddresses {
		if rest := ^b[i/8] >> (i % 8); rest != 0 {
			return i + uint32(bits.TrailingZeros8(rest))
		}
		i = (i/8 + 1) * 8
	}
	return blockAddresses
}

func (s State) used(sub Subnet, offset uint32) bool {
	b, _ := s.Blocks.Get(blockKey(sub, offset/blockAddresses))
	return b.has(offset % blockAddresses)
}

// mark notes that the address at offset of subnet i is now in use, or free.
func (s State) mark(i int, offset uint32, used bool) State {
	sub := s.Subnets[i]
	key := blockKey(sub, offset/blockAddresses)
	b, _ := s.Blocks.Get(key)
	b = b.with(offset%blockAddresses, used)
	if bytes.Count(b, []byte{0}) == blockBytes {
		s.Blocks = s.Blocks.Delete(key)
	} else {
		s.Blocks = s.Blocks.Set(key, b)
	}
	change := 1
	if !used {
		change = -1
	}
	sub.Ports += change
	if sub.pooled(offset) {
		sub.Free = uint32(int64(sub.Free) - int64(change))
	}
	return s.withSubnet(i, sub)
}

// next finds a free address of the pool. It goes on where the last search
// ended, so an address rests as long as can be before it is given out again,
// and what was just given out is not looked at twice.
func (s State) next(sub Subnet) (offset uint32, ok bool) {
	if sub.Free == 0 {
		return 0, false
	}
	if offset, ok = s.search(sub, sub.Next, sub.Last); ok {
		return offset, true
	}
	return s.search(sub, sub.First, sub.Next)
}

// search looks through the pool from one offset to another, both included.
func (s State) search(sub Subnet, from, to uint32) (offset uint32, ok bool) {
	for at := from; at <= to; {
		n := at / blockAddresses
		b, _ := s.Blocks.Get(blockKey(sub, n))
		found := n*blockAddresses + b.free(at%blockAddresses)
		switch {
		case found > to:
			return 0, false
		case found >= (n+1)*blockAddresses:
			at = (n + 1) * blockAddresses
		case !sub.pooled(found):
			at = found + 1
		default:
			return found, true
		}
	}
	return 0, false
}

// take gives out the address asked for, or else any of the subnet, or else of
// the network; the subnet's place and the offset say which it was.
func (s State) take(fixedIP, subnetID string) (after State, subnet int, offset uint32, err error) {
	if fixedIP != "" {
		return s.takeFixed(fixedIP, subnetID)
	}
	for i, sub := range s.Subnets {
		if subnetID != "" && sub.ID != subnetID {
			continue
		}
		if offset, ok := s.next(sub); ok {
			sub.Next = offset + 1
			if sub.Next > sub.Last {
				sub.Next = sub.First
			}
			return s.withSubnet(i, sub).mark(i, offset, true), i, offset, nil
		}
	}
	if subnetID != "" {
		if _, err := s.subnet(subnetID); err != nil {
			return s, 0, 0, err
		}
	}
	if len(s.Subnets) == 0 {
		return s, 0, 0, fmt.Errorf("network %s has no subnet to take an address from: %w", s.ID, messages.Invalid)
	}
	return s, 0, 0, fmt.Errorf("no more IP addresses available on network %s: %w", s.ID, messages.Exhausted)
}

func (s State) takeFixed(fixedIP, subnetID string) (after State, subnet int, offset uint32, err error) {
	a, err := netip.ParseAddr(fixedIP)
	if err != nil || !a.Is4() {
		return s, 0, 0, fmt.Errorf("%.50q is not an IPv4 address: %w", fixedIP, messages.Invalid)
	}
	for i, sub := range s.Subnets {
		offset, ok := sub.offset(a)
		if !ok || (subnetID != "" && sub.ID != subnetID) {
			continue
		}
		if s.used(sub, offset) {
			return s, 0, 0, fmt.Errorf("IP address %v is in use on network %s: %w", a, s.ID, messages.Conflict)
		}
		return s.mark(i, offset, true), i, offset, nil
	}
	return s, 0, 0, fmt.Errorf("IP address %v is not one that a port of network %s can have: %w", a, s.ID, messages.Invalid)
}
