package configs

import (
	"strings"

	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// publish stores a content: the formal one, a beta for some addresses (header
// betaIps), one for a tag, or a gray version by a rule of its own.
func (a *API) publish(names api.ConfigNames) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		key, err := names.Key(r)
		if err != nil {
			return api.Answer{}, err
		}
		m, err := publication(r)
		if err != nil {
			return api.Answer{}, err
		}
		if _, err := cluster.Ask[*messages.ConfigPublished](r.Context(), a.cloud, ref(key), m); err != nil {
			return api.Answer{}, published(err, m)
		}
		a.names.Hint(registry.ConfigKind, key.Namespace)
		return api.Answer{Data: true}, nil
	}
}

// publication is what the parameters and headers of a publish say.
func publication(r *api.Request) (*messages.PublishConfig, error) {
	v := r.Values()
	m := &messages.PublishConfig{
		Content: v.Need("content"), EncryptedDataKey: v.Text("encryptedDataKey"), Labels: labels(v),
		User: author(r), Ip: r.ClientIP,
	}
	if md5 := strings.TrimSpace(r.Header.Get("casMd5")); md5 != "" {
		m.CasMd5 = &md5
	}
	m.Gray = grayRule(r, v)
	if err := v.Err(); err != nil {
		return nil, err
	}
	if err := config.CheckContent(m.Content); err != nil {
		return nil, err
	}
	if err := config.CheckLabels(m.Labels); err != nil {
		return nil, err
	}
	if m.Gray != nil {
		return m, grayRefused(config.CheckGray(m.Gray))
	}
	return m, nil
}

// author is who is said to make a change: who has said who he is, else what the
// request says.
func author(r *api.Request) string {
	if r.User != nil && r.User.Name != "" {
		return r.User.Name
	}
	return r.Values().Text("src_user", "srcUser")
}

// labels are all that is said of a config but its content.
func labels(v *api.Values) *messages.ConfigLabels {
	return &messages.ConfigLabels{
		Type: config.TypeOf(v.Text("type")), Tags: splitTags(v.Text("config_tags", "configTags")), App: v.Text("appName"),
		Description: v.Text("desc"), Use: v.Text("use"), Effect: v.Text("effect"), Schema: v.Text("schema"),
	}
}

// splitTags reads tags by commas; blank and repeated ones count for nothing.
func splitTags(s string) []string {
	var tags []string
	seen := map[string]bool{}
	for tag := range strings.SplitSeq(s, ",") {
		if tag = strings.TrimSpace(tag); tag != "" && !seen[tag] {
			seen[tag] = true
			tags = append(tags, tag)
		}
	}
	return tags
}

// grayRule is the rule that a publish is for; nil: it is the formal content.
func grayRule(r *api.Request, v *api.Values) *messages.GrayRule {
	if ips := strings.TrimSpace(r.Header.Get("betaIps")); ips != "" {
		return config.Beta(ips)
	}
	if tag := v.Text("tag"); tag != "" {
		return config.Tagged(tag)
	}
	name := v.Text("grayName")
	if name == "" {
		return nil
	}
	rule := &messages.GrayRule{
		Name: name, Type: v.Text("grayType"), Version: v.Or(config.RuleVersion, "grayVersion"),
		Expression: v.Text("grayRuleExp"), Priority: int32(v.Int(0, "grayPriority")),
	}
	if rule.Type == "" {
		rule.Type = grayType(name)
	}
	return rule
}

// grayType is the type of a rule whose maker says none: that of its name where it
// is one of Nacos' own, and a tag's otherwise.
func grayType(name string) string {
	if name == config.BetaName {
		return config.BetaType
	}
	return config.TagType
}

// remove removes the formal content, or one gray version; what is absent is no
// error.
func (a *API) remove(names api.ConfigNames) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		key, err := names.Key(r)
		if err != nil {
			return api.Answer{}, err
		}
		v, gray := r.Values(), ""
		if tag := v.Text("tag"); tag != "" {
			gray = config.TagName(tag)
		} else if names == api.ConfigV3 {
			gray = v.Text("grayName")
		}
		return api.Answer{Data: true}, a.withdraw(r, key, gray)
	}
}

func (a *API) withdraw(r *api.Request, key api.Key, gray string) error {
	_, err := cluster.Ask[*messages.ConfigPublished](r.Context(), a.cloud, ref(key),
		&messages.RemoveConfig{GrayName: gray, User: author(r), Ip: r.ClientIP})
	a.names.Hint(registry.ConfigKind, key.Namespace)
	return err
}
