package network

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages/encode"
	"github.com/troupe-cloud/troupe/messages/encode/encodetest"
)

// sameJSON: v is written as encoding/json writes it.
func sameJSON[V encode.Appender](t *testing.T, v, plain any) {
	t.Helper()
	want, err := json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.(V).AppendJSON(nil); err != nil || string(got) != string(want) {
		t.Fatalf("%v\ngot  %s\nwant %s", err, got, want)
	}
}

var (
	addresses = []netip.Addr{{}, netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("fe80::1")}
	prefixes  = []netip.Prefix{{}, netip.MustParsePrefix("10.1.2.0/24"), netip.MustParsePrefix("0.0.0.0/0")}
)

func randomState(r *rand.Rand) (s State) {
	encodetest.Fill(r, reflect.ValueOf(&s).Elem())
	for i := range s.Subnets {
		s.Subnets[i].CIDR = prefixes[1+r.IntN(len(prefixes)-1)]
	}
	return s
}

func TestAppendJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		s := randomState(random)
		if len(s.Subnets) > 0 {
			s.Subnets[0].CIDR = prefixes[random.IntN(len(prefixes))]
		}
		sameJSON[State](t, s, s)
		var p Port
		encodetest.Fill(random, reflect.ValueOf(&p).Elem())
		p.Address = addresses[random.IntN(len(addresses))]
		sameJSON[Port](t, p, p)
		b := block(nil).with(random.Uint32N(blockAddresses), true)
		sameJSON[block](t, b, []byte(b))
	}
	sameJSON[block](t, block(nil), []byte(nil))
}

// TestSameIndex: where nothing is said to be different, nothing is, whatever has
// changed; and giving out an address is no difference.
func TestSameIndex(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		before := randomState(random)
		if len(before.Subnets) == 0 || before.exists() && safeIndex(before) == nil {
			continue
		}
		given := before
		given.Subnets = slices.Clone(before.Subnets)
		given.Subnets[0].Next, given.Subnets[0].Free, given.Subnets[0].Ports = 7, 8, 9
		given.Ports = given.Ports.Set("p", Port{})
		if !sameIndex(before, given) {
			t.Fatal("an address was given out, and the index is said to differ")
		}
		eachField(reflect.TypeFor[State](), func(i int) {
			after, other := before, randomState(random)
			reflect.ValueOf(&after).Elem().Field(i).Set(reflect.ValueOf(other).Field(i))
			noFalseSame(t, before, after)
		})
		eachField(reflect.TypeFor[Subnet](), func(i int) {
			after := before
			after.Subnets = slices.Clone(before.Subnets)
			var other Subnet
			encodetest.Fill(random, reflect.ValueOf(&other).Elem())
			other.CIDR = netip.MustParsePrefix("172.16.0.0/12")
			reflect.ValueOf(&after.Subnets[0]).Elem().Field(i).Set(reflect.ValueOf(other).Field(i))
			noFalseSame(t, before, after)
		})
	}
}

func eachField(t reflect.Type, do func(i int)) {
	for i := range t.NumField() {
		do(i)
	}
}

func noFalseSame(t *testing.T, before, after State) {
	t.Helper()
	equal := slices.EqualFunc(safeIndex(before), safeIndex(after), func(x, y actors.Entry) bool {
		return x.Key == y.Key && string(x.Value) == string(y.Value)
	})
	if !equal && sameIndex(before, after) {
		t.Fatalf("said to be the same:\n%+v\n%+v", before, after)
	}
}

// safeIndex is index; nil if a text is none that protobuf takes.
func safeIndex(s State) (entries []actors.Entry) {
	defer func() {
		if recover() != nil {
			entries = nil
		}
	}()
	return index(s)
}
