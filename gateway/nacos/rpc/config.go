package rpc

import (
	"errors"
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// configKey names a key as the client spells it.
type configKey struct{ dataID, group, tenant string }

// ref is the key's grain, if its name is one.
func (k configKey) ref() (actors.Ref, error) {
	switch {
	case k.dataID == "":
		return actors.Ref{}, missing("dataId")
	case k.group == "":
		return actors.Ref{}, missing("group")
	}
	if err := config.CheckKey(k.tenant, k.group, k.dataID); err != nil {
		return actors.Ref{}, err
	}
	return config.Ref(k.tenant, k.group, k.dataID), nil
}

func (k configKey) resource() api.Resource {
	return api.Resource{Namespace: api.Namespace(k.tenant), Group: k.group, Type: api.Config, Name: k.dataID}
}

// field reads the fields that every request about a key has.
func (k *configKey) field(js *wire.Scanner, name []byte) bool {
	switch string(name) {
	case "dataId":
		k.dataID = js.Text()
	case "group":
		k.group = js.Text()
	case "tenant":
		k.tenant = js.Text()
	default:
		return false
	}
	return true
}

// key checks a key, and that the user may do that with it.
func (c *call) key(k configKey, to api.Action) (actors.Ref, error) {
	at, err := k.ref()
	if err != nil {
		return at, err
	}
	return at, c.permit(to, k.resource())
}

// configPublish stores a content: the formal one, or that of a gray version.
func configPublish(c *call) error {
	var (
		key          configKey
		content, cas string
		more         map[string]string
	)
	err := c.each(func(name []byte) bool {
		switch string(name) {
		case "content":
			content = c.json.Text()
		case "casMd5":
			cas = c.json.Text()
		case "additionMap":
			more = c.json.TextMap()
		default:
			return key.field(&c.json, name)
		}
		return true
	})
	if err != nil {
		return err
	}
	at, err := c.key(key, api.Write)
	if err != nil {
		return err
	}
	m := c.publication(content, cas, more)
	_, err = c.server.cfg.Cloud.Ask(c.ctx, at, m)
	c.audit("publish", key.resource(), err)
	if err == nil {
		c.server.cfg.Names.Hint(registry.ConfigKind, api.Namespace(key.tenant))
	}
	if cas != "" && errors.Is(err, messages.Conflict) {
		return errCAS
	}
	return err
}

// publication is what is asked of the key.
func (c *call) publication(content, cas string, more map[string]string) *messages.PublishConfig {
	m := &messages.PublishConfig{
		Content: content, EncryptedDataKey: more["encryptedDataKey"],
		User: c.userName(), Ip: c.conn.ip,
		Labels: &messages.ConfigLabels{
			Type: config.TypeOf(more["type"]), App: more["appName"], Description: more["desc"],
			Use: more["use"], Effect: more["effect"], Schema: more["schema"],
		},
	}
	if m.User == "" {
		m.User = more["src_user"]
	}
	if cas != "" {
		m.CasMd5 = &cas
	}
	for tag := range strings.SplitSeq(more["config_tags"], ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			m.Labels.Tags = append(m.Labels.Tags, tag)
		}
	}
	switch {
	case more["betaIps"] != "":
		m.Gray = config.Beta(more["betaIps"])
	case more["tag"] != "":
		m.Gray = config.Tagged(more["tag"])
	}
	return m
}

// tagged reads a request that names a key and perhaps a tag of it, and checks that
// it is permitted.
func (c *call) tagged(to api.Action) (key configKey, tag string, at actors.Ref, err error) {
	if err = c.each(func(name []byte) bool {
		if string(name) == "tag" {
			tag = c.json.Text()
			return true
		}
		return key.field(&c.json, name)
	}); err == nil {
		at, err = c.key(key, to)
	}
	return key, tag, at, err
}

// configQuery answers with the content that this client sees.
func configQuery(c *call) error {
	_, tag, at, err := c.tagged(api.Read)
	if err != nil {
		return err
	}
	m := &messages.GetConfig{ClientIp: c.conn.address(), Tag: tag}
	m.ClientLabels = c.conn.labels(c.in.header(config.TagLabel))
	got, err := cluster.Ask[*messages.ConfigContent](c.ctx, c.server.cfg.Cloud, at, m)
	switch {
	case errors.Is(err, messages.NotFound):
		return errNoConfig
	case err != nil:
		return err
	}
	c.content(got)
	return nil
}

// content appends what a client reads. A tag is named only if the content is a
// tag's: clients differ in what they take it for.
func (c *call) content(got *messages.ConfigContent) {
	c.ok()
	c.text(`,"content":`, got.GetContent())
	c.text(`,"encryptedDataKey":`, got.GetEncryptedDataKey())
	c.text(`,"contentType":`, got.GetType())
	c.text(`,"md5":`, got.GetMd5())
	gray := got.GetGray()
	beta := gray.GetType() == config.BetaType
	b := strconv.AppendInt(append(c.reply.b, `,"lastModified":`...), got.GetModifiedAt()/1e6, 10)
	b = strconv.AppendBool(append(b, `,"beta":`...), beta)
	c.reply.b = strconv.AppendBool(append(b, `,"isBeta":`...), beta)
	if gray.GetType() == config.TagType {
		c.text(`,"tag":`, gray.GetExpression())
	}
}

// configRemove removes a content; what is absent is no error.
func configRemove(c *call) error {
	key, tag, at, err := c.tagged(api.Write)
	if err != nil {
		return err
	}
	m := &messages.RemoveConfig{User: c.userName(), Ip: c.conn.ip}
	if tag != "" {
		m.GrayName = config.TagName(tag)
	}
	_, err = c.server.cfg.Cloud.Ask(c.ctx, at, m)
	if errors.Is(err, messages.NotFound) {
		err = nil
	}
	c.audit("remove", key.resource(), err)
	c.server.cfg.Names.Hint(registry.ConfigKind, api.Namespace(key.tenant))
	return err
}
