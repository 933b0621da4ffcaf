package sarama

// The methods of Broker for what administrators ask. What is said of those in
// broker_api.go goes for these, too.

// GetConsumerMetadata asks for the coordinator of a group.
//
// Deprecated: FindCoordinator does the same, and more.
func (b *Broker) GetConsumerMetadata(request *ConsumerMetadataRequest) (*ConsumerMetadataResponse, error) {
	return send[ConsumerMetadataResponse](b, request)
}

// DeleteRecords deletes the oldest records of partitions that the broker leads.
func (b *Broker) DeleteRecords(request *DeleteRecordsRequest) (*DeleteRecordsResponse, error) {
	return send[DeleteRecordsResponse](b, request)
}

// CreatePartitions asks the controller to add partitions to topics.
func (b *Broker) CreatePartitions(request *CreatePartitionsRequest) (*CreatePartitionsResponse, error) {
	return send[CreatePartitionsResponse](b, request)
}

// DescribeLogDirs asks what is in the broker's log directories.
func (b *Broker) DescribeLogDirs(request *DescribeLogDirsRequest) (*DescribeLogDirsResponse, error) {
	return send[DescribeLogDirsResponse](b, request)
}

// DescribeAcls asks for access rules.
func (b *Broker) DescribeAcls(request *DescribeAclsRequest) (*DescribeAclsResponse, error) {
	return send[DescribeAclsResponse](b, request)
}

// DeleteAcls deletes access rules.
func (b *Broker) DeleteAcls(request *DeleteAclsRequest) (*DeleteAclsResponse, error) {
	return send[DeleteAclsResponse](b, request)
}

// DescribeConfigs asks for settings.
func (b *Broker) DescribeConfigs(request *DescribeConfigsRequest) (*DescribeConfigsResponse, error) {
	return send[DescribeConfigsResponse](b, request)
}

// AlterConfigs sets settings and takes all others back to their defaults.
func (b *Broker) AlterConfigs(request *AlterConfigsRequest) (*AlterConfigsResponse, error) {
	return send[AlterConfigsResponse](b, request)
}

// IncrementalAlterConfigs changes settings and leaves all others as they are.
func (b *Broker) IncrementalAlterConfigs(request *IncrementalAlterConfigsRequest) (*IncrementalAlterConfigsResponse, error) {
	return send[IncrementalAlterConfigsResponse](b, request)
}

// DescribeClientQuotas asks for quotas.
func (b *Broker) DescribeClientQuotas(request *DescribeClientQuotasRequest) (*DescribeClientQuotasResponse, error) {
	return send[DescribeClientQuotasResponse](b, request)
}

// AlterClientQuotas asks the controller to change quotas.
func (b *Broker) AlterClientQuotas(request *AlterClientQuotasRequest) (*AlterClientQuotasResponse, error) {
	return send[AlterClientQuotasResponse](b, request)
}

// DescribeUserScramCredentials asks which users have which credentials.
func (b *Broker) DescribeUserScramCredentials(request *DescribeUserScramCredentialsRequest) (*DescribeUserScramCredentialsResponse, error) {
	return send[DescribeUserScramCredentialsResponse](b, request)
}

// DescribeCluster asks which brokers there are.
func (b *Broker) DescribeCluster(request *DescribeClusterRequest) (*DescribeClusterResponse, error) {
	return send[DescribeClusterResponse](b, request)
}

// UpdateFeatures asks the controller to change the level of features.
func (b *Broker) UpdateFeatures(request *UpdateFeaturesRequest) (*UpdateFeaturesResponse, error) {
	return send[UpdateFeaturesResponse](b, request)
}

// DescribeProducers asks who produces to partitions that the broker leads.
func (b *Broker) DescribeProducers(request *DescribeProducersRequest) (*DescribeProducersResponse, error) {
	return send[DescribeProducersResponse](b, request)
}

// DescribeTransactions asks for the state of transactional ids.
func (b *Broker) DescribeTransactions(request *DescribeTransactionsRequest) (*DescribeTransactionsResponse, error) {
	return send[DescribeTransactionsResponse](b, request)
}

// ListTransactions asks which transactional ids the broker coordinates.
func (b *Broker) ListTransactions(request *ListTransactionsRequest) (*ListTransactionsResponse, error) {
	return send[ListTransactionsResponse](b, request)
}

// AlterUserScramCredentials asks the controller to delete credentials and to
// set others. Passwords stay here; what brokers store is derived from them
// first, which takes time that goes up with the iterations.
func (b *Broker) AlterUserScramCredentials(request *AlterUserScramCredentialsRequest) (*AlterUserScramCredentialsResponse, error) {
	request.derive()
	return send[AlterUserScramCredentialsResponse](b, request)
}

// CreateAcls adds access rules. Unlike the other methods it also looks at what
// became of each: where one was refused, it returns the response and an error
// that wraps ErrCreateACLs and the codes.
func (b *Broker) CreateAcls(request *CreateAclsRequest) (*CreateAclsResponse, error) {
	response, err := send[CreateAclsResponse](b, request)
	if err != nil {
		return nil, err
	}
	var refused []error
	for _, r := range response.AclCreationResponses {
		if r.Err != ErrNoError {
			refused = append(refused, r.Err)
		}
	}
	if len(refused) > 0 {
		return response, Wrap(ErrCreateACLs, refused...)
	}
	return response, nil
}
