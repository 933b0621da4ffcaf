//go:build race

package record

// raceEnabled: the race detector makes pools drop objects at random.
const raceEnabled = true
