package wire

import "time"

// ConfigHistory is a row of a key's history in v1 and v2; in lists Content is null.
type ConfigHistory struct {
	ID               string  `json:"id"`
	LastID           int64   `json:"lastId"`
	DataID           string  `json:"dataId"`
	Group            string  `json:"group"`
	Tenant           string  `json:"tenant"`
	AppName          string  `json:"appName"`
	MD5              string  `json:"md5"`
	Content          *string `json:"content"`
	SrcIP            string  `json:"srcIp"`
	SrcUser          *string `json:"srcUser"`
	OpType           string  `json:"opType"`
	PublishType      string  `json:"publishType"`
	GrayName         string  `json:"grayName"`
	ExtInfo          string  `json:"extInfo"`
	CreatedTime      string  `json:"createdTime"`
	LastModifiedTime string  `json:"lastModifiedTime"`
	EncryptedDataKey string  `json:"encryptedDataKey"`
}

// ConfigHistoryChange is the answer to /v2/cs/history/detail: what there was before
// a change, and after it.
type ConfigHistoryChange struct {
	ID                       string  `json:"id"`
	LastID                   int64   `json:"lastId"`
	DataID                   string  `json:"dataId"`
	Group                    string  `json:"group"`
	Tenant                   string  `json:"tenant"`
	OpType                   string  `json:"opType"`
	PublishType              string  `json:"publishType"`
	GrayName                 string  `json:"grayName"`
	AppName                  string  `json:"appName"`
	SrcIP                    string  `json:"srcIp"`
	SrcUser                  *string `json:"srcUser"`
	OriginalMD5              string  `json:"originalMd5"`
	OriginalContent          string  `json:"originalContent"`
	OriginalEncryptedDataKey string  `json:"originalEncryptedDataKey"`
	OriginalExtInfo          string  `json:"originalExtInfo"`
	UpdatedMD5               string  `json:"updatedMd5"`
	UpdatedContent           string  `json:"updatedContent"`
	UpdatedEncryptedDataKey  string  `json:"updatedEncryptedDataKey"`
	UpdateExtInfo            string  `json:"updateExtInfo"`
	CreatedTime              string  `json:"createdTime"`
	LastModifiedTime         string  `json:"lastModifiedTime"`
}

// ConfigHistoryBasic is a row of a key's history in v3.
type ConfigHistoryBasic struct {
	ConfigBasicInfo
	SrcIP       string  `json:"srcIp"`
	SrcUser     *string `json:"srcUser"`
	OpType      string  `json:"opType"`
	PublishType string  `json:"publishType"`
}

// ConfigHistoryDetail is one row of a key's history in v3.
type ConfigHistoryDetail struct {
	ConfigHistoryBasic
	Content          *string `json:"content"`
	EncryptedDataKey string  `json:"encryptedDataKey"`
	GrayName         string  `json:"grayName"`
	ExtInfo          string  `json:"extInfo"`
}

// HistoryTime is how v1 and v2 write the time of a change, given in Unix
// nanoseconds.
func HistoryTime(ns int64) string {
	return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000-07:00")
}
