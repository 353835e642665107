package configs

import (
	"encoding/json"
	"strconv"

	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// noLast is the lastId of all rows: Nacos fills it nowhere.
const noLast = -1

func id(c *messages.ConfigChange) string { return strconv.FormatInt(c.GetNumber(), 10) }

// publishType says what a change is about.
func publishType(c *messages.ConfigChange) string {
	if c.GetGrayName() != "" {
		return "gray"
	}
	return "formal"
}

// extInfo is JSON in a string, as Nacos keeps it beside a row.
func extInfo(c *messages.ConfigChange) string {
	info := map[string]string{}
	for name, value := range map[string]string{"type": c.GetType(), "gray_rule": c.GetGrayRule(), "reason": c.GetReason()} {
		if value != "" {
			info[name] = value
		}
	}
	raw, err := json.Marshal(info)
	if err != nil {
		panic(err) // strings can always be encoded
	}
	return string(raw)
}

// historyLine is a row in a list of v1 and v2: without its content.
func historyLine(r *messages.ConfigChange, tenant string) wire.ConfigHistory {
	at := wire.HistoryTime(r.GetChangedAt())
	return wire.ConfigHistory{
		ID: id(r), LastID: noLast, DataID: r.GetDataId(), Group: r.GetGroup(), Tenant: tenant,
		AppName: r.GetApp(), MD5: r.GetMd5(), SrcIP: r.GetIp(), SrcUser: orNull(r.GetUser()),
		OpType: r.GetOperation(), PublishType: publishType(r), GrayName: r.GetGrayName(),
		ExtInfo: extInfo(r), CreatedTime: at, LastModifiedTime: at,
	}
}

// historyFull is one row of v1 and v2.
func historyFull(r *messages.ConfigChange, tenant string) wire.ConfigHistory {
	w := historyLine(r, tenant)
	w.Content, w.EncryptedDataKey = &r.Content, r.GetEncryptedDataKey()
	return w
}

// historyBasic is a row in a list of v3.
func historyBasic(r *messages.ConfigChange, namespace string) wire.ConfigHistoryBasic {
	at := millis(r.GetChangedAt())
	return wire.ConfigHistoryBasic{
		ConfigBasicInfo: wire.ConfigBasicInfo{
			ID: id(r), NamespaceID: namespace, GroupName: r.GetGroup(), DataID: r.GetDataId(),
			MD5: r.GetMd5(), Type: r.GetType(), AppName: r.GetApp(), CreateTime: at, ModifyTime: at,
		},
		SrcIP: r.GetIp(), SrcUser: orNull(r.GetUser()), OpType: r.GetOperation(), PublishType: publishType(r),
	}
}

// historyDetail is one row of v3.
func historyDetail(r *messages.ConfigChange, namespace string) wire.ConfigHistoryDetail {
	w := wire.ConfigHistoryDetail{
		ConfigHistoryBasic: historyBasic(r, namespace), GrayName: r.GetGrayName(), ExtInfo: extInfo(r),
	}
	w.Content, w.EncryptedDataKey = &r.Content, r.GetEncryptedDataKey()
	return w
}
