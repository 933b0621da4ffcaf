package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// hexColumns is how many digits a line has.
const hexColumns = 100

// writeFrames replaces the files in the folder, one an API.
func writeFrames(dir string, frames []frame) error {
	old, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return err
	}
	for _, name := range old {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files := map[string]*strings.Builder{}
	total := 0
	for _, f := range frames {
		b := files[f.api]
		if b == nil {
			b = &strings.Builder{}
			fmt.Fprintf(b, "# Made by the program in ../capture; package golden tells the format.\napi %s %d\n", f.api, f.key)
			files[f.api] = b
		}
		kind := "response"
		if f.request {
			kind = "request"
		}
		fmt.Fprintf(b, "\nframe %d %s %s\n", f.version, kind, f.origin)
		for digits := hex.EncodeToString(f.body); digits != ""; {
			n := min(hexColumns, len(digits))
			b.WriteString(digits[:n] + "\n")
			digits = digits[n:]
		}
	}
	for _, api := range slices.Sorted(maps.Keys(files)) {
		text := files[api].String()
		total += len(text)
		if err := os.WriteFile(filepath.Join(dir, strings.ToLower(api)+".txt"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	fmt.Printf("%d frames in %d files, %d bytes\n", len(frames), len(files), total)
	return nil
}

// printTable lists which versions of each API there are frames of.
func printTable(w io.Writer, frames []frame) {
	type row struct{ requests, responses map[int16]int }
	rows := map[string]row{}
	for _, f := range frames {
		r, ok := rows[f.api]
		if !ok {
			r = row{map[int16]int{}, map[int16]int{}}
			rows[f.api] = r
		}
		if f.request {
			r.requests[f.version]++
		} else {
			r.responses[f.version]++
		}
	}
	fmt.Fprintf(w, "%-32s | %-46s | %s\n", "API", "requests: version×frames", "responses: version×frames")
	for _, api := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(w, "%-32s | %-46s | %s\n", api, counts(rows[api].requests), counts(rows[api].responses))
	}
}

func counts(m map[int16]int) string {
	var parts []string
	for _, v := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%d×%d", v, m[v]))
	}
	return strings.Join(parts, " ")
}
