package sarama

func (a *clusterAdmin) CreateACL(resource Resource, acl Acl) error {
	return a.CreateACLs([]*ResourceAcls{{Resource: resource, Acls: []*Acl{&acl}}})
}

func (a *clusterAdmin) CreateACLs(resourceACLs []*ResourceAcls) error {
	req := &CreateAclsRequest{Version: apiCreateAcls.versionFor(a.conf.Version)}
	for _, r := range resourceACLs {
		for _, acl := range r.Acls {
			req.AclCreations = append(req.AclCreations, &AclCreation{Resource: r.Resource, Acl: *acl})
		}
	}
	to := a.controller()
	to.reads = true // a rule that exists is no error
	_, err := adminCall(a, to, func(b *Broker) (*CreateAclsResponse, error) {
		again := *req
		return b.CreateAcls(&again)
	})
	return err
}

func (a *clusterAdmin) ListAcls(filter AclFilter) ([]ResourceAcls, error) {
	version := apiDescribeAcls.versionFor(a.conf.Version)
	filter.Version = int(version)
	to := a.controller()
	to.reads = true
	return adminCall(a, to, func(b *Broker) ([]ResourceAcls, error) {
		resp, err := b.DescribeAcls(&DescribeAclsRequest{Version: int(version), AclFilter: filter})
		if err != nil {
			return nil, err
		}
		if err := codeError(resp.Err, resp.ErrMsg); err != nil {
			return nil, err
		}
		var list []ResourceAcls
		for _, r := range resp.ResourceAcls {
			list = append(list, *r)
		}
		return list, nil
	})
}

func (a *clusterAdmin) DeleteACL(filter AclFilter, _ bool) ([]MatchingAcl, error) {
	version := apiDeleteAcls.versionFor(a.conf.Version)
	filter.Version = int(version)
	return adminCall(a, a.controller(), func(b *Broker) ([]MatchingAcl, error) {
		resp, err := b.DeleteAcls(&DeleteAclsRequest{Version: int(version), Filters: []*AclFilter{&filter}})
		if err != nil {
			return nil, err
		}
		if len(resp.FilterResponses) == 0 {
			return nil, ErrIncompleteResponse
		}
		var deleted []MatchingAcl
		for _, f := range resp.FilterResponses {
			if err := codeError(f.Err, f.ErrMsg); err != nil {
				return deleted, err
			}
			for _, m := range f.MatchingAcls {
				deleted = append(deleted, *m)
			}
		}
		return deleted, nil
	})
}
