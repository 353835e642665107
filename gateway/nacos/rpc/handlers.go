package rpc

// handlers are all requests that are answered.
var handlers = map[string]*handler{
	"ServerCheckRequest": {"ServerCheckResponse", serverCheck, true, true, true},
	"HealthCheckRequest": {"HealthCheckResponse", healthCheck, false, true, true},

	"InstanceRequest":           {"InstanceResponse", instance, false, false, false},
	"BatchInstanceRequest":      {"BatchInstanceResponse", batchInstance, false, false, false},
	"PersistentInstanceRequest": {"InstanceResponse", persistentInstance, false, false, false},
	"ServiceQueryRequest":       {"QueryServiceResponse", serviceQuery, false, false, true},
	"SubscribeServiceRequest":   {"SubscribeServiceResponse", subscribeService, false, false, false},
	"ServiceListRequest":        {"ServiceListResponse", serviceList, false, false, false},
	"NamingFuzzyWatchRequest":   {"NamingFuzzyWatchResponse", namingFuzzyWatch, false, false, false},

	"ConfigPublishRequest":     {"ConfigPublishResponse", configPublish, false, false, false},
	"ConfigQueryRequest":       {"ConfigQueryResponse", configQuery, false, false, true},
	"ConfigRemoveRequest":      {"ConfigRemoveResponse", configRemove, false, false, false},
	"ConfigBatchListenRequest": {"ConfigChangeBatchListenResponse", configBatchListen, false, false, false},
	"ConfigFuzzyWatchRequest":  {"ConfigFuzzyWatchResponse", configFuzzyWatch, false, false, false},

	"LockOperationRequest": {"LockOperationResponse", lockOperation, false, false, false},
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
