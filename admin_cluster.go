package sarama

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// clusterView is what DescribeCluster returns.
type clusterView struct {
	brokers    []*Broker
	controller int32
}

func (a *clusterAdmin) DescribeCluster() ([]*Broker, int32, error) {
	to := a.controller()
	to.reads = true
	view, err := adminCall(a, to, func(b *Broker) (clusterView, error) {
		if a.conf.Version.IsAtLeast(V2_8_0_0) {
			view, err := describeCluster(b, NewDescribeClusterRequest(a.conf.Version))
			if !errors.Is(err, ErrUnsupportedVersion) {
				return view, err
			}
		}
		req := NewMetadataRequest(a.conf.Version, nil)
		if req.Version > 0 {
			req.Topics = []string{} // none
		}
		resp, err := b.GetMetadata(req)
		if err != nil {
			return clusterView{}, err
		}
		return clusterView{resp.Brokers, resp.ControllerID}, codeOnly(resp.ErrorCode)
	})
	return view.brokers, view.controller, err
}

func describeCluster(b *Broker, req *DescribeClusterRequest) (clusterView, error) {
	resp, err := b.DescribeCluster(req)
	if err != nil {
		return clusterView{}, err
	}
	if err := codeError(resp.Err, resp.ErrorMessage); err != nil {
		return clusterView{}, err
	}
	view := clusterView{controller: resp.ControllerID}
	for _, b := range resp.Brokers {
		view.brokers = append(view.brokers, &Broker{
			id: b.BrokerID, addr: net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))), rack: b.Rack,
		})
	}
	return view, nil
}

func (a *clusterAdmin) DescribeLogDirs(brokers []int32) (map[int32][]DescribeLogDirsResponseDirMetadata, error) {
	var known []int32
	for _, id := range brokers {
		if _, err := a.client.Broker(id); err != nil {
			Logger.Printf("admin/request no log directories of broker %d: %v\n", id, err)
			continue
		}
		known = append(known, id)
	}
	dirs := make(map[int32][]DescribeLogDirsResponseDirMetadata, len(known))
	var first error
	for _, s := range allAtOnce(known, func(id int32) ([]DescribeLogDirsResponseDirMetadata, error) {
		return adminCall(a, a.oneBroker(id), func(b *Broker) ([]DescribeLogDirsResponseDirMetadata, error) {
			resp, err := b.DescribeLogDirs(&DescribeLogDirsRequest{Version: apiDescribeLogDirs.versionFor(a.conf.Version)})
			if err != nil {
				return nil, err
			}
			return resp.LogDirs, codeOnly(resp.ErrorCode)
		})
	}) {
		if s.err != nil {
			if first == nil {
				first = fmt.Errorf("log directories of broker %d: %w", s.key, s.err)
			}
			continue
		}
		dirs[s.key] = s.result
	}
	return dirs, first
}

func (a *clusterAdmin) UpdateFeatures(featureUpdates []FeatureUpdate) ([]UpdatableFeatureResult, error) {
	return adminCall(a, a.controller(), func(b *Broker) ([]UpdatableFeatureResult, error) {
		resp, err := b.UpdateFeatures(&UpdateFeaturesRequest{
			Version: apiUpdateFeatures.versionFor(a.conf.Version), Timeout: a.conf.Admin.Timeout, FeatureUpdates: featureUpdates,
		})
		if err != nil {
			return nil, err
		}
		if resp.ErrorCode == ErrNoError {
			return resp.Results, nil
		}
		if resp.ErrorMessage == nil {
			return resp.Results, resp.ErrorCode
		}
		return resp.Results, fmt.Errorf("%w - %s", resp.ErrorCode, *resp.ErrorMessage)
	})
}
