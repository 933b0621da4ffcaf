// Package sarama is a client for Apache Kafka that takes the place of Sarama
// v1.61.1: the same import path and the same exported API, over an engine of
// its own.
package sarama
