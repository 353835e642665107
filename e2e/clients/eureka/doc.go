// Package eureka owns the tests that drive the registry with the real, unmodified
// clients of Eureka: hudl/fargo 1.4.0, in XML and in JSON, and npm eureka-js-client
// 4.5.0. It has no code of the product.
package eureka
