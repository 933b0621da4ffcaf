package sarama

import (
	"slices"
	"sync"
)

// Helpers that make the responses to logins and to requests about ACLs.

// MockSaslHandshakeResponse makes responses to clients that name a mechanism.
type MockSaslHandshakeResponse struct {
	t    TestReporter
	mu   sync.Mutex
	resp SaslHandshakeResponse
}

// NewMockSaslHandshakeResponse makes a helper that takes any mechanism.
func NewMockSaslHandshakeResponse(t TestReporter) *MockSaslHandshakeResponse {
	return &MockSaslHandshakeResponse{t: t}
}

// SetError sets the error.
func (m *MockSaslHandshakeResponse) SetError(kerror KError) *MockSaslHandshakeResponse {
	return mockWith(m, &m.mu, func() { m.resp.Err = kerror })
}

// SetEnabledMechanisms sets the list of those that the broker has.
func (m *MockSaslHandshakeResponse) SetEnabledMechanisms(enabledMechanisms []string) *MockSaslHandshakeResponse {
	return mockWith(m, &m.mu, func() { m.resp.EnabledMechanisms = slices.Clone(enabledMechanisms) })
}

// For returns the response.
func (m *MockSaslHandshakeResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *SaslHandshakeRequest) body {
		resp := m.resp
		resp.Version = req.Version
		return &resp
	})
}

// MockSaslAuthenticateResponse makes responses to logins.
type MockSaslAuthenticateResponse struct {
	t    TestReporter
	mu   sync.Mutex
	resp SaslAuthenticateResponse
}

// NewMockSaslAuthenticateResponse makes a helper by which every login succeeds.
func NewMockSaslAuthenticateResponse(t TestReporter) *MockSaslAuthenticateResponse {
	return &MockSaslAuthenticateResponse{t: t}
}

// SetError sets the error.
func (m *MockSaslAuthenticateResponse) SetError(kerror KError) *MockSaslAuthenticateResponse {
	return mockWith(m, &m.mu, func() { m.resp.Err = kerror })
}

// SetAuthBytes sets what the mechanism's server says.
func (m *MockSaslAuthenticateResponse) SetAuthBytes(saslAuthBytes []byte) *MockSaslAuthenticateResponse {
	return mockWith(m, &m.mu, func() { m.resp.SaslAuthBytes = slices.Clone(saslAuthBytes) })
}

// SetSessionLifetimeMs sets after how many milliseconds the client has to log in
// again, 0 for never.
func (m *MockSaslAuthenticateResponse) SetSessionLifetimeMs(sessionLifetimeMs int64) *MockSaslAuthenticateResponse {
	return mockWith(m, &m.mu, func() { m.resp.SessionLifetimeMs = sessionLifetimeMs })
}

// For returns the response.
func (m *MockSaslAuthenticateResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, &m.mu, reqBody, func(req *SaslAuthenticateRequest) body {
		resp := m.resp
		resp.Version = req.Version
		return &resp
	})
}

// MockCreateAclsResponse makes responses to ACLs that are created.
type MockCreateAclsResponse struct{ t TestReporter }

// NewMockCreateAclsResponse makes a helper that has all ACLs created.
func NewMockCreateAclsResponse(t TestReporter) *MockCreateAclsResponse {
	return &MockCreateAclsResponse{t}
}

// For answers for each ACL of the request.
func (m *MockCreateAclsResponse) For(reqBody body) body {
	return mockCreatedAcls(m.t, m, reqBody, ErrNoError)
}

func mockCreatedAcls(t TestReporter, maker MockResponse, reqBody body, err KError) body {
	return mockAnswer(t, maker, nil, reqBody, func(req *CreateAclsRequest) body {
		resp := &CreateAclsResponse{Version: req.Version}
		for range req.AclCreations {
			resp.AclCreationResponses = append(resp.AclCreationResponses, &AclCreationResponse{Err: err})
		}
		return resp
	})
}

// MockCreateAclsResponseError makes responses to ACLs that are refused.
type MockCreateAclsResponseError struct{ t TestReporter }

// NewMockCreateAclsResponseWithError makes a helper that answers with
// ErrInvalidRequest.
func NewMockCreateAclsResponseWithError(t TestReporter) *MockCreateAclsResponseError {
	return &MockCreateAclsResponseError{t}
}

// For refuses each ACL of the request.
func (m *MockCreateAclsResponseError) For(reqBody body) body {
	return mockCreatedAcls(m.t, m, reqBody, ErrInvalidRequest)
}

// MockListAclsResponse makes responses that list ACLs.
type MockListAclsResponse struct{ t TestReporter }

// NewMockListAclsResponse makes a helper that has one ACL, which is just what
// the filter asks for; its host is "*", its principal "User:test", and it allows,
// where the filter does not say.
func NewMockListAclsResponse(t TestReporter) *MockListAclsResponse {
	return &MockListAclsResponse{t}
}

// For lists the ACL that the filter describes.
func (m *MockListAclsResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, nil, reqBody, func(req *DescribeAclsRequest) body {
		acl := &Acl{Host: "*", Principal: "User:test", Operation: req.Operation, PermissionType: req.PermissionType}
		if acl.PermissionType == AclPermissionAny {
			acl.PermissionType = AclPermissionAllow
		}
		resource := Resource{ResourceType: req.ResourceType, ResourcePatternType: req.ResourcePatternTypeFilter}
		for to, from := range map[*string]*string{&acl.Host: req.Host, &acl.Principal: req.Principal, &resource.ResourceName: req.ResourceName} {
			if from != nil {
				*to = *from
			}
		}
		return &DescribeAclsResponse{
			Version: int16(req.Version), ResourceAcls: []*ResourceAcls{{Resource: resource, Acls: []*Acl{acl}}},
		}
	})
}

// MockDeleteAclsResponse makes responses to ACLs that are deleted.
type MockDeleteAclsResponse struct{ t TestReporter }

// NewMockDeleteAclsResponse makes a helper by which every filter finds one ACL,
// of which nothing is said.
func NewMockDeleteAclsResponse(t TestReporter) *MockDeleteAclsResponse {
	return &MockDeleteAclsResponse{t}
}

// For answers for each filter of the request.
func (m *MockDeleteAclsResponse) For(reqBody body) body {
	return mockAnswer(m.t, m, nil, reqBody, func(req *DeleteAclsRequest) body {
		resp := &DeleteAclsResponse{Version: int16(req.Version)}
		for range req.Filters {
			resp.FilterResponses = append(resp.FilterResponses, &FilterResponse{MatchingAcls: []*MatchingAcl{{}}})
		}
		return resp
	})
}
