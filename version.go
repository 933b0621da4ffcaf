package sarama

import (
	"fmt"
	"strconv"
	"strings"
)

// KafkaVersion is a release of Kafka. Values are comparable with ==; the zero
// value is older than every release.
type KafkaVersion struct {
	// Up to 0.11 all four parts count, since then the first three.
	parts [4]uint64
}

func release(major, minor, third, fourth uint64) KafkaVersion {
	return KafkaVersion{parts: [4]uint64{major, minor, third, fourth}}
}

// IsAtLeast reports whether v is other or a later release.
func (v KafkaVersion) IsAtLeast(other KafkaVersion) bool {
	for i, part := range v.parts {
		if part != other.parts[i] {
			return part > other.parts[i]
		}
	}
	return true
}

// String returns the version as Kafka writes it: 0.11.0.2 with four parts, and
// from 1.0 on 2.8.1 with three.
func (v KafkaVersion) String() string {
	p := v.parts
	if p[0] == 0 {
		return fmt.Sprintf("0.%d.%d.%d", p[1], p[2], p[3])
	}
	return fmt.Sprintf("%d.%d.%d", p[0], p[1], p[2])
}

// ParseKafkaVersion reads a version in the form of String: four numbers for
// the releases that start with 0, three for all others. Versions that are not
// in SupportedVersions are read as well. Anything else returns DefaultVersion
// and an error.
func ParseKafkaVersion(s string) (KafkaVersion, error) {
	fields := strings.Split(s, ".")
	count := 3
	if fields[0] == "0" {
		count = 4
	}
	// A leading zero in front would make "00.11.0.0" and "0.11.0.0" two
	// spellings of one version.
	if len(fields) != count || len(fields[0]) > 1 && fields[0][0] == '0' {
		return DefaultVersion, fmt.Errorf("invalid version `%s`", s)
	}
	var v KafkaVersion
	for i, field := range fields {
		part, err := strconv.ParseUint(field, 10, 64)
		if err != nil { // it takes digits only: neither signs nor underscores
			return DefaultVersion, fmt.Errorf("invalid version `%s`", s)
		}
		v.parts[i] = part
	}
	return v, nil
}

// The releases of Kafka that this package knows.
var (
	V0_8_2_0  = release(0, 8, 2, 0)
	V0_8_2_1  = release(0, 8, 2, 1)
	V0_8_2_2  = release(0, 8, 2, 2)
	V0_9_0_0  = release(0, 9, 0, 0)
	V0_9_0_1  = release(0, 9, 0, 1)
	V0_10_0_0 = release(0, 10, 0, 0)
	V0_10_0_1 = release(0, 10, 0, 1)
	V0_10_1_0 = release(0, 10, 1, 0)
	V0_10_1_1 = release(0, 10, 1, 1)
	V0_10_2_0 = release(0, 10, 2, 0)
	V0_10_2_1 = release(0, 10, 2, 1)
	V0_10_2_2 = release(0, 10, 2, 2)
	V0_11_0_0 = release(0, 11, 0, 0)
	V0_11_0_1 = release(0, 11, 0, 1)
	V0_11_0_2 = release(0, 11, 0, 2)
	V1_0_0_0  = release(1, 0, 0, 0)
	V1_0_1_0  = release(1, 0, 1, 0)
	V1_0_2_0  = release(1, 0, 2, 0)
	V1_1_0_0  = release(1, 1, 0, 0)
	V1_1_1_0  = release(1, 1, 1, 0)
	V2_0_0_0  = release(2, 0, 0, 0)
	V2_0_1_0  = release(2, 0, 1, 0)
	V2_1_0_0  = release(2, 1, 0, 0)
	V2_1_1_0  = release(2, 1, 1, 0)
	V2_2_0_0  = release(2, 2, 0, 0)
	V2_2_1_0  = release(2, 2, 1, 0)
	V2_2_2_0  = release(2, 2, 2, 0)
	V2_3_0_0  = release(2, 3, 0, 0)
	V2_3_1_0  = release(2, 3, 1, 0)
	V2_4_0_0  = release(2, 4, 0, 0)
	V2_4_1_0  = release(2, 4, 1, 0)
	V2_5_0_0  = release(2, 5, 0, 0)
	V2_5_1_0  = release(2, 5, 1, 0)
	V2_6_0_0  = release(2, 6, 0, 0)
	V2_6_1_0  = release(2, 6, 1, 0)
	V2_6_2_0  = release(2, 6, 2, 0)
	V2_6_3_0  = release(2, 6, 3, 0)
	V2_7_0_0  = release(2, 7, 0, 0)
	V2_7_1_0  = release(2, 7, 1, 0)
	V2_7_2_0  = release(2, 7, 2, 0)
	V2_8_0_0  = release(2, 8, 0, 0)
	V2_8_1_0  = release(2, 8, 1, 0)
	V2_8_2_0  = release(2, 8, 2, 0)
	V3_0_0_0  = release(3, 0, 0, 0)
	V3_0_1_0  = release(3, 0, 1, 0)
	V3_0_2_0  = release(3, 0, 2, 0)
	V3_1_0_0  = release(3, 1, 0, 0)
	V3_1_1_0  = release(3, 1, 1, 0)
	V3_1_2_0  = release(3, 1, 2, 0)
	V3_2_0_0  = release(3, 2, 0, 0)
	V3_2_1_0  = release(3, 2, 1, 0)
	V3_2_2_0  = release(3, 2, 2, 0)
	V3_2_3_0  = release(3, 2, 3, 0)
	V3_3_0_0  = release(3, 3, 0, 0)
	V3_3_1_0  = release(3, 3, 1, 0)
	V3_3_2_0  = release(3, 3, 2, 0)
	V3_4_0_0  = release(3, 4, 0, 0)
	V3_4_1_0  = release(3, 4, 1, 0)
	V3_5_0_0  = release(3, 5, 0, 0)
	V3_5_1_0  = release(3, 5, 1, 0)
	V3_5_2_0  = release(3, 5, 2, 0)
	V3_6_0_0  = release(3, 6, 0, 0)
	V3_6_1_0  = release(3, 6, 1, 0)
	V3_6_2_0  = release(3, 6, 2, 0)
	V3_7_0_0  = release(3, 7, 0, 0)
	V3_7_1_0  = release(3, 7, 1, 0)
	V3_7_2_0  = release(3, 7, 2, 0)
	V3_8_0_0  = release(3, 8, 0, 0)
	V3_8_1_0  = release(3, 8, 1, 0)
	V3_9_0_0  = release(3, 9, 0, 0)
	V3_9_1_0  = release(3, 9, 1, 0)
	V3_9_2_0  = release(3, 9, 2, 0)
	V4_0_0_0  = release(4, 0, 0, 0)
	V4_0_1_0  = release(4, 0, 1, 0)
	V4_1_0_0  = release(4, 1, 0, 0)
	V4_1_1_0  = release(4, 1, 1, 0)
	V4_1_2_0  = release(4, 1, 2, 0)
	V4_2_0_0  = release(4, 2, 0, 0)
	V4_2_1_0  = release(4, 2, 1, 0)
	V4_3_0_0  = release(4, 3, 0, 0)
	V4_3_1_0  = release(4, 3, 1, 0)
)

var (
	// SupportedVersions are the releases known, from MinVersion to MaxVersion.
	SupportedVersions = []KafkaVersion{
		V0_8_2_0, V0_8_2_1, V0_8_2_2, V0_9_0_0,
		V0_9_0_1, V0_10_0_0, V0_10_0_1, V0_10_1_0,
		V0_10_1_1, V0_10_2_0, V0_10_2_1, V0_10_2_2,
		V0_11_0_0, V0_11_0_1, V0_11_0_2, V1_0_0_0,
		V1_0_1_0, V1_0_2_0, V1_1_0_0, V1_1_1_0,
		V2_0_0_0, V2_0_1_0, V2_1_0_0, V2_1_1_0,
		V2_2_0_0, V2_2_1_0, V2_2_2_0, V2_3_0_0,
		V2_3_1_0, V2_4_0_0, V2_4_1_0, V2_5_0_0,
		V2_5_1_0, V2_6_0_0, V2_6_1_0, V2_6_2_0,
		V2_6_3_0, V2_7_0_0, V2_7_1_0, V2_7_2_0,
		V2_8_0_0, V2_8_1_0, V2_8_2_0, V3_0_0_0,
		V3_0_1_0, V3_0_2_0, V3_1_0_0, V3_1_1_0,
		V3_1_2_0, V3_2_0_0, V3_2_1_0, V3_2_2_0,
		V3_2_3_0, V3_3_0_0, V3_3_1_0, V3_3_2_0,
		V3_4_0_0, V3_4_1_0, V3_5_0_0, V3_5_1_0,
		V3_5_2_0, V3_6_0_0, V3_6_1_0, V3_6_2_0,
		V3_7_0_0, V3_7_1_0, V3_7_2_0, V3_8_0_0,
		V3_8_1_0, V3_9_0_0, V3_9_1_0, V3_9_2_0,
		V4_0_0_0, V4_0_1_0, V4_1_0_0, V4_1_1_0,
		V4_1_2_0, V4_2_0_0, V4_2_1_0, V4_3_0_0,
		V4_3_1_0,
	}

	// MinVersion is the oldest release that Config.Version may name.
	MinVersion = V0_8_2_0
	// MaxVersion is the newest release known. Brokers may be newer: a client
	// then talks to them as to this one.
	MaxVersion = V4_3_1_0
	// DefaultVersion is what NewConfig puts into Config.Version.
	DefaultVersion = V2_8_0_0
)
