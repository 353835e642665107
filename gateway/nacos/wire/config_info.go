package wire

// ConfigInfo is a row of a search in v1 and v2, and of a namespace's list.
type ConfigInfo struct {
	ID               string `json:"id"`
	DataID           string `json:"dataId"`
	Group            string `json:"group"`
	Content          string `json:"content"`
	MD5              string `json:"md5"`
	EncryptedDataKey string `json:"encryptedDataKey"`
	Tenant           string `json:"tenant"`
	AppName          string `json:"appName"`
	Type             string `json:"type"`
}

// ConfigAdvanceInfo is all about a key but its content; times in Unix milliseconds.
type ConfigAdvanceInfo struct {
	CreateTime int64   `json:"createTime"`
	ModifyTime int64   `json:"modifyTime"`
	CreateUser *string `json:"createUser"` // null: nobody said
	CreateIP   string  `json:"createIp"`
	Desc       *string `json:"desc"`
	Use        *string `json:"use"`
	Effect     *string `json:"effect"`
	Type       string  `json:"type"`
	Schema     *string `json:"schema"`
	ConfigTags *string `json:"configTags"`
}

// ConfigAllInfo is the answer to show=all.
type ConfigAllInfo struct {
	ConfigInfo
	CreateTime int64   `json:"createTime"` // Unix milliseconds
	ModifyTime int64   `json:"modifyTime"`
	CreateUser *string `json:"createUser"`
	CreateIP   string  `json:"createIp"`
	Desc       *string `json:"desc"`
	Use        *string `json:"use"`
	Effect     *string `json:"effect"`
	Schema     *string `json:"schema"`
	ConfigTags *string `json:"configTags"`
}

// ConfigBetaInfo is the answer to beta=true.
type ConfigBetaInfo struct {
	ConfigInfo
	BetaIPs string `json:"betaIps"`
}

// ConfigWrapper is a row of the list of all keys of a namespace.
type ConfigWrapper struct {
	ConfigInfo
	LastModified int64 `json:"lastModified"` // Unix milliseconds
}

// ConfigBasicInfo is a row of a search in v3.
type ConfigBasicInfo struct {
	ID          string `json:"id"`
	NamespaceID string `json:"namespaceId"`
	GroupName   string `json:"groupName"`
	DataID      string `json:"dataId"`
	MD5         string `json:"md5"`
	Type        string `json:"type"`
	AppName     string `json:"appName"`
	CreateTime  int64  `json:"createTime"` // Unix milliseconds
	ModifyTime  int64  `json:"modifyTime"`
}

// ConfigDetailInfo is one config in v3.
type ConfigDetailInfo struct {
	ConfigBasicInfo
	Content          string  `json:"content"`
	Desc             *string `json:"desc"`
	EncryptedDataKey string  `json:"encryptedDataKey"`
	CreateUser       *string `json:"createUser"`
	CreateIP         string  `json:"createIp"`
	ConfigTags       *string `json:"configTags"`
}

// ConfigGrayInfo is one gray version in v3; GrayRule is JSON in a string.
type ConfigGrayInfo struct {
	ConfigDetailInfo
	GrayName string `json:"grayName"`
	GrayRule string `json:"grayRule"`
}

// GrayRule is what stands in GrayRule of a ConfigGrayInfo.
type GrayRule struct {
	Type     string `json:"type"`
	Version  string `json:"version"`
	Expr     string `json:"expr"`
	Priority int32  `json:"priority"`
}

// ConfigQueryResult is what a v3 client gets.
type ConfigQueryResult struct {
	ResultCode       int     `json:"resultCode"`
	ErrorCode        int     `json:"errorCode"`
	Message          *string `json:"message"`
	RequestID        *string `json:"requestId"`
	Content          string  `json:"content"`
	EncryptedDataKey string  `json:"encryptedDataKey"`
	ContentType      string  `json:"contentType"` // the config's type
	MD5              string  `json:"md5"`
	LastModified     int64   `json:"lastModified"` // Unix milliseconds
	Tag              *string `json:"tag"`
	Beta             bool    `json:"beta"`
	Success          bool    `json:"success"`
}
