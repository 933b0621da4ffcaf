package sarama

import (
	"errors"
	"reflect"
	"testing"

	"github.com/IBM/sarama/internal/bridge"
)

// TestBrokerMethodsSendTheirRequests calls all methods of Broker that take a
// request and return its response, with each version that the package sends.
func TestBrokerMethodsSendTheirRequests(t *testing.T) {
	var answer body
	var got bridge.Header
	s := newScript(t, func(_ string, h bridge.Header, req any) (any, error) {
		if _, ok := req.(*ApiVersionsRequest); ok && answer == nil {
			return allVersions(), nil
		}
		got = h
		return answer, nil
	})
	b := openBroker(t, s, func(c *Config) { c.Version = MaxVersion })
	if ok, err := b.Connected(); !ok {
		t.Fatal(err)
	}
	seen := make(map[int16]bool)
	of := reflect.TypeOf(b)
	for i := range of.NumMethod() {
		m := of.Method(i)
		if m.Type.NumIn() != 2 || m.Type.NumOut() != 2 || m.Name == "Produce" { // which answers to acks only
			continue
		}
		request, ok := reflect.Zero(m.Type.In(1)).Interface().(body)
		if !ok {
			continue
		}
		a, _ := reflect.New(reflect.TypeOf(request).Elem()).Interface().(body).meta()
		seen[a.key] = true
		for v := range a.sentMax + 1 {
			request = reflect.New(reflect.TypeOf(request).Elem()).Interface().(body)
			setVersion(request, v)
			if r, ok := request.(*OffsetFetchRequest); ok { // that old ones can't be for all
				r.AddPartition("t", 0)
			}
			answer = reflect.New(m.Type.Out(0).Elem()).Interface().(body)
			out := m.Func.Call([]reflect.Value{reflect.ValueOf(b), reflect.ValueOf(request)})
			if err, _ := out[1].Interface().(error); err != nil || out[0].IsNil() {
				t.Errorf("%s v%d: %v, %v", m.Name, v, out[0], err)
				continue
			}
			if _, version := out[0].Interface().(body).meta(); got.Key != a.key || got.Version != v || *version != v {
				t.Errorf("%s v%d sent key %d v%d, the response has v%d", m.Name, v, got.Key, got.Version, *version)
			}
		}
	}
	without := map[int16]bool{keyProduce: true, keySaslHandshake: true, keySaslAuthenticate: true, keyOffsetForLeaderEpoch: true}
	for _, a := range apis {
		if a != nil && !seen[a.key] && !without[a.key] {
			t.Errorf("no method sends %s", a.name)
		}
	}
}

func TestBrokerLowersVersionsThatAreInts(t *testing.T) {
	s := newScript(t, func(_ string, h bridge.Header, req any) (any, error) {
		switch req.(type) {
		case *ApiVersionsRequest:
			return &ApiVersionsResponse{ApiKeys: []ApiVersionsResponseKey{{ApiKey: keyDescribeAcls, MaxVersion: 1}, {ApiKey: keyDeleteAcls, MaxVersion: 1}}}, nil
		case *DescribeAclsRequest:
			return &DescribeAclsResponse{}, nil
		}
		return &DeleteAclsResponse{}, nil
	})
	b := openBroker(t, s, func(c *Config) { c.Version = MaxVersion })
	describe := &DescribeAclsRequest{Version: 3}
	if resp, err := b.DescribeAcls(describe); err != nil || describe.Version != 1 || describe.AclFilter.Version != 1 || resp.Version != 1 {
		t.Errorf("%+v, %v, %+v", describe, err, resp)
	}
	remove := &DeleteAclsRequest{Version: 2, Filters: []*AclFilter{{}}}
	if resp, err := b.DeleteAcls(remove); err != nil || remove.Version != 1 || remove.Filters[0].Version != 1 || resp.Version != 1 {
		t.Errorf("%+v, %v, %+v", remove, err, resp)
	}
}

func TestBrokerCreateAclsTellsWhatWasRefused(t *testing.T) {
	var answer *CreateAclsResponse
	s := newScript(t, standard(1, "t", 1, func(string, bridge.Header, any) (any, error) {
		if answer == nil {
			return nil, errHangUp
		}
		return answer, nil
	}))
	b := openBroker(t, s, nil)
	request := &CreateAclsRequest{Version: 1, AclCreations: []*AclCreation{{Resource: Resource{ResourceType: AclResourceTopic, ResourceName: "t"}}}}
	answer = &CreateAclsResponse{AclCreationResponses: []*AclCreationResponse{{}, {}}}
	if resp, err := b.CreateAcls(request); err != nil || len(resp.AclCreationResponses) != 2 {
		t.Errorf("%+v, %v", resp, err)
	}
	if got := request.AclCreations[0].ResourcePatternType; got != AclPatternLiteral {
		t.Errorf("the pattern type is %v", &got)
	}
	answer = &CreateAclsResponse{AclCreationResponses: []*AclCreationResponse{
		{Err: ErrTopicAuthorizationFailed, ErrMsg: new("bad")}, {}, {Err: ErrNotController}}}
	resp, err := b.CreateAcls(request)
	if resp == nil || len(resp.AclCreationResponses) != 3 || !errors.Is(err, ErrCreateACLs) || !errors.Is(err, ErrNotController) ||
		err.Error() != ErrCreateACLs.Error()+": "+ErrTopicAuthorizationFailed.Error()+"\n"+ErrNotController.Error() {
		t.Errorf("%+v, %v", resp, err)
	}
	answer = nil
	if resp, err := b.CreateAcls(request); resp != nil || err == nil || errors.Is(err, ErrCreateACLs) {
		t.Errorf("no answer: %+v, %v", resp, err)
	}
}
