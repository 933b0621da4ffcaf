//go:build race

package compress

// raceEnabled: the race detector makes pools drop objects at random.
const raceEnabled = true
