package sarama

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"time"

	"github.com/IBM/sarama/internal/wire"
)

// ScramMechanismType is the mechanism that a user's credential is for.
type ScramMechanismType int8

// The mechanisms (KIP-554).
const (
	SCRAM_MECHANISM_UNKNOWN ScramMechanismType = iota
	SCRAM_MECHANISM_SHA_256
	SCRAM_MECHANISM_SHA_512
)

// String returns the name of the SASL mechanism, or Unknown.
func (s ScramMechanismType) String() string {
	switch s {
	case SCRAM_MECHANISM_SHA_256:
		return SASLTypeSCRAMSHA256
	case SCRAM_MECHANISM_SHA_512:
		return SASLTypeSCRAMSHA512
	}
	return "Unknown"
}

// saltedPassword is what brokers store of a password (RFC 5802, section 3).
func (s ScramMechanismType) saltedPassword(password, salt []byte, iterations int32) ([]byte, error) {
	switch s {
	case SCRAM_MECHANISM_SHA_256:
		return pbkdf2.Key(sha256.New, string(password), salt, int(iterations), sha256.Size)
	case SCRAM_MECHANISM_SHA_512:
		return pbkdf2.Key(sha512.New, string(password), salt, int(iterations), sha512.Size)
	}
	return nil, ErrUnknownScramMechanism
}

// DescribeUserScramCredentialsRequest asks which users have which credentials.
type DescribeUserScramCredentialsRequest struct {
	Version int16
	// DescribeUsers limits the answer to these users; where it is empty, all are
	// told.
	DescribeUsers []DescribeUserScramCredentialsRequestUser
}

// DescribeUserScramCredentialsRequestUser is a user that is asked for.
type DescribeUserScramCredentialsRequestUser struct {
	Name string
}

func (r *DescribeUserScramCredentialsRequest) meta() (*api, *int16) {
	return apiDescribeUserScramCredentials, &r.Version
}

func (r *DescribeUserScramCredentialsRequest) layout(c *wire.Codec) {
	wire.NullableValues(c, &r.DescribeUsers, func(u *DescribeUserScramCredentialsRequestUser, c *wire.Codec) {
		c.String(&u.Name)
	})
}

// DescribeUserScramCredentialsResponse is the answer to a
// DescribeUserScramCredentialsRequest.
type DescribeUserScramCredentialsResponse struct {
	Version      int16
	ThrottleTime time.Duration
	// ErrorCode and ErrorMessage of the whole request.
	ErrorCode    KError
	ErrorMessage *string
	Results      []*DescribeUserScramCredentialsResult
}

// DescribeUserScramCredentialsResult has the credentials of one user.
type DescribeUserScramCredentialsResult struct {
	User            string
	ErrorCode       KError
	ErrorMessage    *string
	CredentialInfos []*UserScramCredentialsResponseInfo
}

// UserScramCredentialsResponseInfo is what may be told of a credential.
type UserScramCredentialsResponseInfo struct {
	Mechanism  ScramMechanismType
	Iterations int32
}

func (r *DescribeUserScramCredentialsResponse) meta() (*api, *int16) {
	return apiDescribeUserScramCredentials, &r.Version
}

func (r *DescribeUserScramCredentialsResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *DescribeUserScramCredentialsResponse) layout(c *wire.Codec) {
	c.Millis(&r.ThrottleTime)
	layKError(c, &r.ErrorCode)
	c.NullableString(&r.ErrorMessage)
	wire.Structs(c, &r.Results, (*DescribeUserScramCredentialsResult).layout)
}

func (r *DescribeUserScramCredentialsResult) layout(c *wire.Codec) {
	c.String(&r.User)
	layKError(c, &r.ErrorCode)
	c.NullableString(&r.ErrorMessage)
	wire.Structs(c, &r.CredentialInfos, func(i *UserScramCredentialsResponseInfo, c *wire.Codec) {
		c.Int8((*int8)(&i.Mechanism))
		c.Int32(&i.Iterations)
	})
}

// AlterUserScramCredentialsRequest asks the controller to delete credentials
// and to set others.
type AlterUserScramCredentialsRequest struct {
	Version    int16
	Deletions  []AlterUserScramCredentialsDelete
	Upsertions []AlterUserScramCredentialsUpsert
}

// AlterUserScramCredentialsDelete deletes a credential.
type AlterUserScramCredentialsDelete struct {
	Name      string
	Mechanism ScramMechanismType
}

// AlterUserScramCredentialsUpsert sets a credential. The password itself does
// not go out: brokers get what is derived from it.
type AlterUserScramCredentialsUpsert struct {
	Name      string
	Mechanism ScramMechanismType
	// Iterations that brokers take are 4096 to 16384.
	Iterations int32
	Salt       []byte
	Password   []byte

	// salted is what the message has in place of Password.
	salted []byte
}

func (r *AlterUserScramCredentialsRequest) meta() (*api, *int16) {
	return apiAlterUserScramCredentials, &r.Version
}

// derive works out what the message has in place of passwords, which takes
// milliseconds, so not while others wait to write. Where it can't be done the
// layout says so.
func (r *AlterUserScramCredentialsRequest) derive() {
	for i := range r.Upsertions {
		if u := &r.Upsertions[i]; u.salted == nil || u.Password != nil {
			u.salted, _ = u.Mechanism.saltedPassword(u.Password, u.Salt, u.Iterations)
		}
	}
}

func (r *AlterUserScramCredentialsRequest) layout(c *wire.Codec) {
	wire.Values(c, &r.Deletions, func(d *AlterUserScramCredentialsDelete, c *wire.Codec) {
		c.String(&d.Name)
		c.Int8((*int8)(&d.Mechanism))
	})
	wire.Values(c, &r.Upsertions, (*AlterUserScramCredentialsUpsert).layout)
}

func (u *AlterUserScramCredentialsUpsert) layout(c *wire.Codec) {
	salt, salted := u.Salt, u.salted
	if c.Writing() {
		if salted == nil {
			var err error
			if salted, err = u.Mechanism.saltedPassword(u.Password, salt, u.Iterations); err != nil {
				c.Fail(&u.Mechanism, err)
			}
		}
		if salt == nil {
			salt = []byte{} // null is not allowed
		}
	}
	c.String(&u.Name)
	c.Int8((*int8)(&u.Mechanism))
	c.Int32(&u.Iterations)
	c.Bytes(&salt)
	if c.Bytes(&salted); !c.Writing() {
		u.Salt, u.salted, u.Password = salt, salted, nil
	}
}

// AlterUserScramCredentialsResponse is the answer to an
// AlterUserScramCredentialsRequest.
type AlterUserScramCredentialsResponse struct {
	Version      int16
	ThrottleTime time.Duration
	Results      []*AlterUserScramCredentialsResult
}

// AlterUserScramCredentialsResult is what became of one user's credentials.
type AlterUserScramCredentialsResult struct {
	User         string
	ErrorCode    KError
	ErrorMessage *string
}

func (r *AlterUserScramCredentialsResponse) meta() (*api, *int16) {
	return apiAlterUserScramCredentials, &r.Version
}

func (r *AlterUserScramCredentialsResponse) throttleTime() time.Duration { return r.ThrottleTime }

func (r *AlterUserScramCredentialsResponse) layout(c *wire.Codec) {
	c.Millis(&r.ThrottleTime)
	wire.Structs(c, &r.Results, func(u *AlterUserScramCredentialsResult, c *wire.Codec) {
		c.String(&u.User)
		layKError(c, &u.ErrorCode)
		c.NullableString(&u.ErrorMessage)
	})
}
