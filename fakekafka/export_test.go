package fakekafka

// EndGroupTxn is what the transaction coordinator does to a group when a
// transaction's markers are written.
func (c *Cluster) EndGroupTxn(group string, producerID int64, commit bool) {
	c.endGroupTxn(group, producerID, commit)
}
