package configs

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// tenant is a namespace as answers spell it: v1 and v2 know the public one by no
// name, unless the client has called it so.
func tenant(r *api.Request, names api.ConfigNames) string {
	asked := strings.TrimSpace(r.Values().Text(names.Namespace))
	if asked == "" && names == api.ConfigV3 {
		return api.PublicNamespace
	}
	return asked
}

// orNull is null for what nobody has said.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func configInfo(e *messages.ConfigEntry, tenant string) wire.ConfigInfo {
	return wire.ConfigInfo{
		ID: strconv.FormatInt(e.GetId(), 10), DataID: e.GetDataId(), Group: e.GetGroup(), MD5: e.GetMd5(),
		Tenant: tenant, AppName: e.GetApp(), Type: e.GetType(),
	}
}

// fullInfo is a key with its content, as v1 shows it.
func fullInfo(c *messages.Config, tenant string) wire.ConfigInfo {
	info := configInfo(c.GetEntry(), tenant)
	info.Content, info.EncryptedDataKey = c.GetContent(), c.GetEncryptedDataKey()
	return info
}

func allInfo(c *messages.Config, tenant string) wire.ConfigAllInfo {
	e := c.GetEntry()
	return wire.ConfigAllInfo{
		ConfigInfo: fullInfo(c, tenant), CreateTime: millis(e.GetCreatedAt()), ModifyTime: millis(e.GetModifiedAt()),
		CreateUser: orNull(e.GetCreatedBy()), CreateIP: e.GetCreatedFrom(), Desc: orNull(e.GetDescription()),
		Use: orNull(c.GetUse()), Effect: orNull(c.GetEffect()), Schema: orNull(c.GetSchema()),
		ConfigTags: orNull(strings.Join(e.GetTags(), ",")),
	}
}

func advanceInfo(c *messages.Config) wire.ConfigAdvanceInfo {
	all := allInfo(c, "")
	return wire.ConfigAdvanceInfo{
		CreateTime: all.CreateTime, ModifyTime: all.ModifyTime, CreateUser: all.CreateUser, CreateIP: all.CreateIP,
		Desc: all.Desc, Use: all.Use, Effect: all.Effect, Type: all.Type, Schema: all.Schema, ConfigTags: all.ConfigTags,
	}
}

func basicInfo(e *messages.ConfigEntry, namespace string) wire.ConfigBasicInfo {
	return wire.ConfigBasicInfo{
		ID: strconv.FormatInt(e.GetId(), 10), NamespaceID: namespace, GroupName: e.GetGroup(), DataID: e.GetDataId(),
		MD5: e.GetMd5(), Type: e.GetType(), AppName: e.GetApp(),
		CreateTime: millis(e.GetCreatedAt()), ModifyTime: millis(e.GetModifiedAt()),
	}
}

func detailInfo(c *messages.Config, namespace string) wire.ConfigDetailInfo {
	e := c.GetEntry()
	return wire.ConfigDetailInfo{
		ConfigBasicInfo: basicInfo(e, namespace), Content: c.GetContent(), Desc: orNull(e.GetDescription()),
		EncryptedDataKey: c.GetEncryptedDataKey(), CreateUser: orNull(e.GetCreatedBy()), CreateIP: e.GetCreatedFrom(),
		ConfigTags: orNull(strings.Join(e.GetTags(), ",")),
	}
}

// grayInfo is a gray version of a key, as v3 shows it.
func grayInfo(key api.Key, gray *messages.ConfigContent, entry *messages.ConfigEntry, namespace string) wire.ConfigGrayInfo {
	info := wire.ConfigGrayInfo{GrayName: gray.GetGray().GetName(), GrayRule: ruleText(gray.GetGray())}
	info.ConfigBasicInfo = basicInfo(entry, namespace)
	info.GroupName, info.DataID = key.Group, key.Name
	info.MD5, info.Type, info.ModifyTime = gray.GetMd5(), gray.GetType(), millis(gray.GetModifiedAt())
	info.Content, info.EncryptedDataKey = gray.GetContent(), gray.GetEncryptedDataKey()
	return info
}

// ruleText is a rule as v3 shows it: JSON in a string.
func ruleText(g *messages.GrayRule) string {
	raw, err := json.Marshal(wire.GrayRule{Type: g.GetType(), Version: g.GetVersion(), Expr: g.GetExpression(), Priority: g.GetPriority()})
	if err != nil {
		panic(err) // strings and a number can always be encoded
	}
	return string(raw)
}
