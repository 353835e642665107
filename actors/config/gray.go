package config

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/troupe-cloud/troupe/messages"
)

// The rules that are evaluated. Rules of other types are kept as they are given and
// match nobody. LabelType is a third.
const (
	BetaType    = "beta"
	TagType     = "tag"
	RuleVersion = "1.0.0" // of both

	BetaName     = "beta" // of the gray version that a beta publish makes
	BetaPriority = math.MaxInt32
	TagPriority  = math.MaxInt32 - 1

	// TagLabel is the label by which a client says which tag it wants to see.
	TagLabel = "Vipserver-Tag"
)

// Refusals of gray versions; all are Invalid but for ErrTooManyGrays, which is
// Exhausted. Over the wire only kind and sentence are left: who has to tell them
// apart asks CheckGray before it publishes.
var (
	ErrTooManyGrays = fmt.Errorf("a config has at most %d gray versions: %w", MaxGrays, messages.Exhausted)
	ErrGrayRule     = fmt.Errorf("the rule of a gray version cannot be read: %w", messages.Invalid)
	ErrRuleVersion  = fmt.Errorf("the rule of a gray version is of an unknown version: %w", messages.Invalid)
	ErrGrayName     = fmt.Errorf("the name of a gray version has 1 to %d letters, digits, _ . : and -: %w", MaxGrayNameBytes, messages.Invalid)
)

// Beta is the rule of a beta publish; ips are addresses by commas.
func Beta(ips string) *messages.GrayRule {
	return &messages.GrayRule{Name: BetaName, Type: BetaType, Version: RuleVersion, Expression: ips, Priority: BetaPriority}
}

// Tagged is the rule of a publish for a tag.
func Tagged(tag string) *messages.GrayRule {
	return &messages.GrayRule{Name: TagName(tag), Type: TagType, Version: RuleVersion, Expression: tag, Priority: TagPriority}
}

// TagName is the name of a tag's gray version.
func TagName(tag string) string { return TagType + "_" + tag }

// CheckGray refuses rules that nobody could follow: ErrGrayName, ErrGrayRule or
// ErrRuleVersion.
func CheckGray(r *messages.GrayRule) error {
	if checkName("gray version", r.GetName(), MaxGrayNameBytes) != nil {
		return ErrGrayName
	}
	if r.Type == "" || checkBytes("", r.Type, MaxGrayTypeBytes) != nil ||
		strings.TrimSpace(r.Expression) == "" || checkBytes("", r.Expression, MaxGrayRuleBytes) != nil {
		return ErrGrayRule
	}
	if checkBytes("", r.Version, MaxRuleVersionBytes) != nil {
		return ErrRuleVersion
	}
	if r.Type != BetaType && r.Type != TagType && r.Type != LabelType {
		return nil
	}
	if r.Version != RuleVersion {
		return ErrRuleVersion
	}
	if _, err := matchLabels(r.Expression, func(string) string { return "" }); r.Type == LabelType && err != nil {
		return ErrGrayRule
	}
	if r.Type == TagType && checkName("tag", r.Expression, MaxGrayTagBytes) != nil {
		return ErrGrayRule
	}
	return nil
}

// Client is what is known of who asks.
type Client struct {
	IP     string
	Labels map[string]string // such as TagLabel
}

// Matches says whether a rule is about c.
func Matches(r *messages.GrayRule, c Client) bool {
	switch {
	case r.GetVersion() != RuleVersion:
	case r.Type == BetaType && c.IP != "":
		for ip := range strings.SplitSeq(r.Expression, ",") {
			if strings.TrimSpace(ip) == c.IP {
				return true
			}
		}
	case r.Type == TagType:
		tag, said := c.Labels[TagLabel]
		return said && tag == r.Expression
	case r.Type == LabelType:
		is, err := matchLabels(r.Expression, c.label)
		return is && err == nil
	}
	return false
}

// label is a label of c; empty: it has none of that name.
func (c Client) label(name string) string {
	if name == ClientIPLabel {
		return c.IP
	}
	return c.Labels[name]
}

// Sees is the gray version that c sees of those of a digest, which come highest
// priority first; nil: the formal content.
func Sees(d *messages.ConfigDigest, c Client) *messages.GrayDigest {
	for _, g := range d.GetGrays() {
		if Matches(g.GetRule(), c) {
			return g
		}
	}
	return nil
}

// SeenMD5 is the MD5 of what c sees; empty: nothing.
func SeenMD5(d *messages.ConfigDigest, c Client) string {
	if g := Sees(d, c); g != nil {
		return g.GetMd5()
	}
	return d.GetMd5()
}

// byPriority orders gray versions, the highest priority first.
func byPriority(grays []Gray) {
	slices.SortFunc(grays, func(a, b Gray) int {
		return cmp.Or(cmp.Compare(b.Rule.Priority, a.Rule.Priority), strings.Compare(a.Rule.Name, b.Rule.Name))
	})
}
