package rpc

// handlers are all requests that are answered.
var handlers = map[string]*handler{
	"ServerCheckRequest": {"ServerCheckResponse", serverCheck, true, true},
	"HealthCheckRequest": {"HealthCheckResponse", healthCheck, false, true},

	"InstanceRequest":           {"InstanceResponse", instance, false, false},
	"BatchInstanceRequest":      {"BatchInstanceResponse", batchInstance, false, false},
	"PersistentInstanceRequest": {"InstanceResponse", persistentInstance, false, false},
	"ServiceQueryRequest":       {"QueryServiceResponse", serviceQuery, false, false},
	"SubscribeServiceRequest":   {"SubscribeServiceResponse", subscribeService, false, false},
	"ServiceListRequest":        {"ServiceListResponse", serviceList, false, false},
	"NamingFuzzyWatchRequest":   {"NamingFuzzyWatchResponse", namingFuzzyWatch, false, false},

	"ConfigPublishRequest":     {"ConfigPublishResponse", configPublish, false, false},
	"ConfigQueryRequest":       {"ConfigQueryResponse", configQuery, false, false},
	"ConfigRemoveRequest":      {"ConfigRemoveResponse", configRemove, false, false},
	"ConfigBatchListenRequest": {"ConfigChangeBatchListenResponse", configBatchListen, false, false},
	"ConfigFuzzyWatchRequest":  {"ConfigFuzzyWatchResponse", configFuzzyWatch, false, false},

	"LockOperationRequest": {"LockOperationResponse", lockOperation, false, false},
}

// serverCheck tells a client the id of its connection.
func serverCheck(c *call) error {
	if err := c.each(nothing); err != nil {
		return err
	}
	c.ok()
	c.text(`,"connectionId":`, c.conn.id)
	c.reply.b = append(c.reply.b, `,"supportAbilityNegotiation":true`...)
	return nil
}

func healthCheck(c *call) error { return c.each(nothing) }

// nothing wants no field.
func nothing([]byte) bool { return false }
