package config

import (
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

func TestLabelRule(t *testing.T) { // table: one row, one expression: whom of the two it means, or that it is none
	gray := Client{IP: "10.0.0.1", Labels: map[string]string{"region": "hz", "env": "gray", "app.zone-1/x": "b"}}
	other := Client{IP: "10.0.0.2", Labels: map[string]string{"region": "sh"}}
	for expression, want := range map[string]string{
		"region == 'hz'":                             "gray",
		`region=="sh"`:                               "other",
		"region != 'hz'":                             "other",
		"env == ''":                                  "other",
		"region == 'hz' && env == 'gray'":            "gray",
		"region == 'hz' && env == 'x'":               "",
		"region == 'hz' || region == 'sh'":           "gray other",
		"a == 'b' && c == 'd' || region == 'sh'":     "other",
		"region == 'sh' || a == 'b' && c == 'd'":     "other",
		"(region == 'sh' || env == 'gray')&&b == ''": "gray other",
		"ClientIp == '10.0.0.1'":                     "gray",
		"app.zone-1/x == 'b'":                        "gray",
		" ( ( region == 'hz' ) ) ":                   "gray",
		"region":                                     "none",
		"region = 'hz'":                              "none",
		"region == hz":                               "none",
		"region == 'hz":                              "none",
		"region == 'hz' &&":                          "none",
		"region == 'hz' || (":                        "none",
		"region == 'hz')":                            "none",
		"region == 'hz' env == 'x'":                  "none",
		"größe == 'x'":                               "none",
		strings.Repeat("(", 50) + "a == ''" + strings.Repeat(")", 50): "none",
	} {
		rule := &messages.GrayRule{Name: "l", Type: LabelType, Version: RuleVersion, Expression: expression}
		var got []string
		if Matches(rule, gray) {
			got = append(got, "gray")
		}
		if Matches(rule, other) {
			got = append(got, "other")
		}
		if err := CheckGray(rule); (err != nil) != (want == "none") {
			t.Errorf("%s: %v", expression, err)
		} else if is := strings.Join(got, " "); err == nil && is != want || err != nil && is != "" {
			t.Errorf("%s means %q, not %q", expression, is, want)
		}
	}
}

// TestLabelPriority: of the rules that mean a client, the one of the highest priority
// counts, whatever their types are.
func TestLabelPriority(t *testing.T) {
	w := newWorld(t, "public", "g", "a")
	w.must(formal("formal"))
	w.must(gray("all", &messages.GrayRule{Name: "all", Type: LabelType, Version: RuleVersion, Expression: "region == 'hz'", Priority: 1}))
	w.must(gray("few", &messages.GrayRule{Name: "few", Type: LabelType, Version: RuleVersion, Expression: "region == 'hz' && env == 'x'", Priority: 2}))
	w.must(gray("tagged", Tagged("t")))
	for want, labels := range map[string]map[string]string{
		"formal": {"region": "sh"}, "all": {"region": "hz"}, "few": {"region": "hz", "env": "x"},
		"tagged": {"region": "hz", "env": "x", TagLabel: "t"},
	} {
		got := w.must(&messages.GetConfig{ClientLabels: labels}).(*messages.ConfigContent)
		if got.GetContent() != want {
			t.Errorf("%v sees %q, not %q", labels, got.GetContent(), want)
		}
	}
}
