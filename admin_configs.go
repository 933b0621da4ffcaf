package sarama

import (
	"fmt"
	"strconv"
)

// DescribeConfigsOptions are the options of ClusterAdmin.DescribeConfigs.
type DescribeConfigsOptions struct {
	// IncludeSynonyms asks where else a setting may come from, from Kafka 1.1 on.
	IncludeSynonyms bool
	// IncludeDocumentation asks for descriptions, from Kafka 2.6 on.
	IncludeDocumentation bool
}

// ConfigResourceResult is what ClusterAdmin.DescribeConfigs says of a resource.
type ConfigResourceResult struct {
	ErrorCode KError
	ErrorMsg  string
	Type      ConfigResourceType
	Name      string
	Configs   []ConfigEntry
}

// configTarget is the broker that knows the settings of a resource: of a broker's
// that broker, whose id is returned, of others any, with the id -1.
func (a *clusterAdmin) configTarget(kind ConfigResourceType, name string) (adminTarget, int32, error) {
	if kind != BrokerLoggerResource && (kind != BrokerResource || name == "") {
		return a.anyBroker(), -1, nil
	}
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		return adminTarget{}, 0, fmt.Errorf("kafka: the name of a broker's settings is its id: %w", err)
	}
	if _, err := a.client.Broker(int32(id)); err != nil {
		return adminTarget{}, 0, fmt.Errorf("kafka: settings of broker %d: %w", id, err)
	}
	return a.oneBroker(int32(id)), int32(id), nil
}

// describeConfigs asks one broker for settings.
func (a *clusterAdmin) describeConfigs(to adminTarget, resources []*ConfigResource, options DescribeConfigsOptions) ([]*ResourceResponse, error) {
	return adminCall(a, to, func(b *Broker) ([]*ResourceResponse, error) {
		req := &DescribeConfigsRequest{Version: apiDescribeConfigs.versionFor(a.conf.Version), Resources: resources}
		req.IncludeSynonyms = options.IncludeSynonyms && req.Version >= 1
		req.IncludeDocumentation = options.IncludeDocumentation && req.Version >= 3
		resp, err := b.DescribeConfigs(req)
		if err != nil {
			return nil, err
		}
		return resp.Resources, nil
	})
}

func (a *clusterAdmin) DescribeConfig(resource ConfigResource) ([]ConfigEntry, error) {
	to, _, err := a.configTarget(resource.Type, resource.Name)
	if err != nil {
		return nil, err
	}
	described, err := a.describeConfigs(to, []*ConfigResource{&resource}, DescribeConfigsOptions{})
	if err != nil {
		return nil, err
	}
	var entries []ConfigEntry
	for _, r := range described {
		if r.Name != resource.Name {
			continue
		}
		if r.ErrorCode != 0 {
			return nil, &DescribeConfigError{Err: KError(r.ErrorCode), ErrMsg: r.ErrorMsg}
		}
		for _, entry := range r.Configs {
			entries = append(entries, *entry)
		}
	}
	return entries, nil
}

func (a *clusterAdmin) DescribeConfigs(resources []*ConfigResource, options DescribeConfigsOptions) ([]*ConfigResourceResult, error) {
	shares, targets, err := a.configShares(resources)
	if err != nil {
		return nil, err
	}
	type resourceKey struct {
		kind ConfigResourceType
		name string
	}
	found := make(map[resourceKey]*ResourceResponse)
	for _, s := range allAtOnce(sortedKeys(shares), func(id int32) ([]*ResourceResponse, error) {
		return a.describeConfigs(targets[id], shares[id], options)
	}) {
		if s.err != nil {
			return nil, s.err
		}
		for _, r := range s.result {
			found[resourceKey{r.Type, r.Name}] = r
		}
	}
	results := make([]*ConfigResourceResult, 0, len(resources))
	for _, asked := range resources {
		r := found[resourceKey{asked.Type, asked.Name}]
		if r == nil {
			return results, fmt.Errorf("%w: settings of %q", ErrIncompleteResponse, asked.Name)
		}
		result := &ConfigResourceResult{ErrorCode: KError(r.ErrorCode), ErrorMsg: r.ErrorMsg, Type: r.Type, Name: r.Name}
		for _, entry := range r.Configs {
			result.Configs = append(result.Configs, *entry)
		}
		results = append(results, result)
	}
	return results, nil
}

// configShares tells which brokers are to be asked for which settings: as few as
// possible.
func (a *clusterAdmin) configShares(resources []*ConfigResource) (map[int32][]*ConfigResource, map[int32]adminTarget, error) {
	shares, targets := make(map[int32][]*ConfigResource), make(map[int32]adminTarget)
	var someone *Broker
	for i, r := range resources {
		if r == nil {
			return nil, nil, fmt.Errorf("kafka: resource %d of DescribeConfigs is nil", i)
		}
		to, id, err := a.configTarget(r.Type, r.Name)
		if err != nil {
			return nil, nil, err
		}
		own := id >= 0
		if !own {
			if someone == nil {
				if someone, err = adminWithin(a, to.find); err != nil {
					return nil, nil, err
				}
			}
			id = someone.ID()
		}
		shares[id] = append(shares[id], r)
		if _, ok := targets[id]; !ok || own {
			targets[id] = to // a broker's own settings are asked of no other
		}
	}
	return shares, targets, nil
}

func (a *clusterAdmin) AlterConfig(resourceType ConfigResourceType, name string, entries map[string]*string, validateOnly bool) error {
	return a.alterConfig(resourceType, name, func(b *Broker) error {
		resp, err := b.AlterConfigs(&AlterConfigsRequest{
			Version: apiAlterConfigs.versionFor(a.conf.Version), ValidateOnly: validateOnly,
			Resources: []*AlterConfigsResource{{Type: resourceType, Name: name, ConfigEntries: entries}},
		})
		if err != nil {
			return err
		}
		if r := refusedConfig(resp.Resources, name); r != nil {
			return &AlterConfigError{Err: KError(r.ErrorCode), ErrMsg: r.ErrorMsg}
		}
		return nil
	})
}

func (a *clusterAdmin) IncrementalAlterConfig(resourceType ConfigResourceType, name string, entries map[string]IncrementalAlterConfigsEntry, validateOnly bool) error {
	return a.alterConfig(resourceType, name, func(b *Broker) error {
		resp, err := b.IncrementalAlterConfigs(&IncrementalAlterConfigsRequest{
			Version: apiIncrementalAlterConfigs.versionFor(a.conf.Version), ValidateOnly: validateOnly,
			Resources: []*IncrementalAlterConfigsResource{{Type: resourceType, Name: name, ConfigEntries: entries}},
		})
		if err != nil {
			return err
		}
		if r := refusedConfig(resp.Resources, name); r != nil {
			return codeError(KError(r.ErrorCode), &r.ErrorMsg)
		}
		return nil
	})
}

// alterConfig asks the broker that a resource's settings are changed through.
func (a *clusterAdmin) alterConfig(kind ConfigResourceType, name string, ask func(*Broker) error) error {
	to, _, err := a.configTarget(kind, name)
	if err != nil {
		return err
	}
	return a.do(to, ask)
}

// refusedConfig is the refusal of a resource, nil where it was altered.
func refusedConfig(altered []*AlterConfigsResourceResponse, name string) *AlterConfigsResourceResponse {
	for _, r := range altered {
		if r.Name == name && r.ErrorCode != 0 {
			return r
		}
	}
	return nil
}
