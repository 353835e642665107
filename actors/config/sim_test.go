package config

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/messages"
)

var seed = flag.Uint64("seed", 0, "run this history alone")

// TestSim: one seed is one history of publishes, removals, gray versions, labels,
// moves and days that pass; a model that keeps everything says what has to be seen.
func TestSim(t *testing.T) {
	first, last := uint64(1), uint64(40)
	if *seed != 0 {
		first, last = *seed, *seed
	}
	for n := first; n <= last; n++ {
		t.Run(fmt.Sprintf("seed=%d", n), func(t *testing.T) { newModel(t, n).run(120) })
	}
}

// model is what a key has to be: everything that was acknowledged.
type model struct {
	*world
	r       *rand.Rand
	content map[string]string // by gray name; "": formal
	rules   map[string]*messages.GrayRule
	tags    []string
	history []*messages.ConfigChange
	version int64
	seen    int64
}

func newModel(t *testing.T, seed uint64) *model {
	return &model{
		world: newWorld(t, "ns-1", "a:b", "c.yaml"), r: rand.New(rand.NewPCG(seed, 7)),
		content: map[string]string{}, rules: map[string]*messages.GrayRule{},
	}
}

func (m *model) run(steps int) {
	for range steps {
		switch m.r.IntN(12) {
		case 0:
			m.move()
		case 1:
			m.now = m.now.Add(time.Duration(m.r.IntN(int(10 * 24 * time.Hour))))
			m.move()
		case 2:
			m.now = m.now.Add(-time.Duration(m.r.IntN(int(time.Minute)))) // another node's clock
		case 3, 4:
			m.remove(m.pick())
		case 5:
			m.label()
		case 6, 7:
			m.publish(m.rule())
		default:
			m.publish(nil)
		}
		m.check()
		if m.t.Failed() {
			m.t.FailNow()
		}
	}
}

// pick is the formal content or a gray version, there or not.
func (m *model) pick() string {
	return []string{"", "", BetaName, "tag_a", "tag_b", "v1"}[m.r.IntN(6)]
}

func (m *model) rule() *messages.GrayRule {
	switch m.r.IntN(4) {
	case 0:
		return Beta([]string{"1.1.1.1", "1.1.1.1,2.2.2.2"}[m.r.IntN(2)])
	case 1:
		return Tagged("a")
	case 2:
		return Tagged("b")
	}
	return &messages.GrayRule{Name: "v1", Type: TagType, Version: RuleVersion, Expression: []string{"a", "z"}[m.r.IntN(2)], Priority: m.r.Int32N(3)}
}

func (m *model) publish(rule *messages.GrayRule) {
	name := rule.GetName()
	p := &messages.PublishConfig{Content: fmt.Sprint("content ", m.r.IntN(4)), Gray: rule, User: fmt.Sprint("u", m.r.IntN(3))}
	was, there := m.content[name]
	conflict := false
	switch m.r.IntN(4) {
	case 0:
		guess := ""
		if there {
			guess = MD5(was)
		}
		p.CasMd5 = &guess
	case 1:
		guess := MD5(fmt.Sprint("content ", m.r.IntN(4)))
		p.CasMd5, conflict = &guess, !there || guess != MD5(was)
	}
	if m.r.IntN(3) == 0 {
		p.Labels = &messages.ConfigLabels{Tags: []string{"t1", "t2", "t3"}[:m.r.IntN(4)]}
	}
	answer, err := m.say(p)
	if conflict {
		if !errors.Is(err, messages.Conflict) {
			m.t.Errorf("a wrong MD5: %v", err)
		}
		return
	}
	if err != nil {
		m.t.Error(err)
		return
	}
	m.acknowledged(answer, MD5(p.Content))
	line := &messages.ConfigChange{Operation: "I", GrayName: name, Content: p.Content, User: p.User}
	if there {
		line.Operation, line.Content = "U", was
	}
	m.history = append(m.history, line)
	if !there || was != p.Content || !proto.Equal(m.rules[name], rule) {
		m.seen++
	}
	m.content[name], m.rules[name] = p.Content, rule
	if rule == nil && len(p.Labels.GetTags()) > 0 {
		m.tags = p.Labels.Tags
	}
}

func (m *model) remove(name string) {
	answer, err := m.say(&messages.RemoveConfig{GrayName: name, User: "r"})
	if err != nil {
		m.t.Error(err)
		return
	}
	was, there := m.content[name]
	if !there {
		return
	}
	m.acknowledged(answer, "")
	m.history = append(m.history, &messages.ConfigChange{Operation: "D", GrayName: name, Content: was, User: "r"})
	m.seen++
	delete(m.content, name)
	if name == "" {
		m.tags = nil
	}
}

func (m *model) label() {
	tags := []string{"t1", "t4"}[:m.r.IntN(3)]
	answer, err := m.say(&messages.UpdateConfigLabels{Labels: &messages.ConfigLabels{Tags: tags}})
	content, there := m.content[""]
	if there != (err == nil) {
		m.t.Errorf("labels: %v", err)
	}
	if there && err == nil {
		m.acknowledged(answer, MD5(content))
		m.tags = tags
	}
}

// acknowledged is a change: its version is above all before.
func (m *model) acknowledged(answer proto.Message, md5 string) {
	p, ok := answer.(*messages.ConfigPublished)
	if !ok || p.Version <= m.version || p.Md5 != md5 {
		m.t.Errorf("after version %d: %v", m.version, answer)
		return
	}
	m.version = p.Version
}

// check compares all that can be asked, and all that is listed.
func (m *model) check() {
	for _, name := range []string{"", BetaName, "tag_a", "tag_b", "v1"} {
		answer, err := m.say(&messages.GetConfig{GrayName: name, Formal: name == ""})
		want, there := m.content[name]
		if c, ok := answer.(*messages.ConfigContent); ok != there || there && (c.Content != want || c.Md5 != MD5(want)) {
			m.t.Errorf("%q: got %v, %v; want %q", name, answer, err, want)
		}
	}
	d := m.must(&messages.GetConfigDigest{}).(*messages.ConfigDigest)
	if len(d.Grays) != m.grays() || d.ContentVersion != m.seen {
		m.t.Errorf("digest %v, %d gray versions, %d", d, m.grays(), m.seen)
	}
	for _, c := range []Client{{}, {IP: "1.1.1.1"}, {IP: "2.2.2.2"}, {Labels: map[string]string{TagLabel: "a"}}, {Labels: map[string]string{TagLabel: "z"}}} {
		answer, _ := m.say(&messages.GetConfig{ClientIp: c.IP, ClientLabels: c.Labels})
		if got, _ := answer.(*messages.ConfigContent); got.GetMd5() != SeenMD5(d, c) {
			m.t.Errorf("%v is given %v, and the digest says %s", c, answer, SeenMD5(d, c))
		}
	}
	m.checkHistory()
	m.checkIndex()
}

func (m *model) grays() (n int) {
	for name := range m.content {
		if name != "" {
			n++
		}
	}
	return n
}

// checkHistory: every line that has not had its time is there and right, and as
// many rows and entries as lines.
func (m *model) checkHistory() {
	s := m.state.Value().(State)
	if int(s.Last) != len(m.history) {
		m.t.Fatalf("%d lines, want %d", s.Last, len(m.history))
	}
	left := int(s.Last - max(1, s.First) + 1)
	if a, b := len(m.below("cold/")), len(m.below("index/"+HistoryPrefix)); a != left || b != left {
		m.t.Errorf("%d lines have %d rows and %d entries", left, a, b)
	}
	for i := max(1, s.First); i <= s.Last; i++ {
		got, want := m.must(&messages.GetConfigChange{Number: i}).(*messages.ConfigChange), m.history[i-1]
		if got.Operation != want.Operation || got.Content != want.Content || got.GrayName != want.GrayName || got.User != want.User ||
			got.Md5 != MD5(want.Content) || got.Number != i {
			m.t.Errorf("line %d: got %v, want %v", i, got, want)
		}
		want.ChangedAt = got.ChangedAt
	}
	for i := range max(0, s.First-1) { // those that are gone had their time
		if age := m.now.Sub(time.Unix(0, m.history[i].ChangedAt)); age < HistoryKept-time.Hour {
			m.t.Errorf("line %d is gone after %v", i+1, age)
		}
	}
}

// checkIndex: the entries are those of what is published, and no others.
func (m *model) checkIndex() {
	want := []string{}
	if _, there := m.content[""]; there {
		want = append(want, "index/"+EntryKey("ns-1", "a:b", "c.yaml"), "index/config-data/ns-1/c.yaml/a:b",
			"index/"+NumberKey(Number("ns-1", "a:b", "c.yaml")))
		for _, tag := range m.tags {
			want = append(want, "index/config-tag/ns-1/"+tag+"/a:b/c.yaml")
		}
	}
	got := m.below("index/config")
	maps.DeleteFunc(got, func(key string, _ []byte) bool { return len(key) > 20 && key[:20] == "index/"+HistoryPrefix[:14] })
	keys := slices.Sorted(maps.Keys(got))
	if slices.Sort(want); !slices.Equal(keys, want) {
		m.t.Errorf("entries:\ngot  %q\nwant %q", keys, want)
	}
	if len(want) == 0 {
		return
	}
	e := &messages.ConfigEntry{}
	if err := proto.Unmarshal(got["index/"+EntryKey("ns-1", "a:b", "c.yaml")], e); err != nil {
		m.t.Error(err)
	}
	if e.Md5 != MD5(m.content[""]) || len(e.Grays) != m.grays() || !slices.Equal(e.Tags, m.tags) || e.DataId != "c.yaml" {
		m.t.Errorf("the entry is %v", e)
	}
}
