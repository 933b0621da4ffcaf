// Command driver runs the benchmark against upstream and against this module,
// in turns, and prints medians and ratios. Only ratios within one run mean
// anything.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

type result struct {
	CPU    float64 `json:"cpu_s_per_million"`
	Allocs float64 `json:"allocs_per_message"`
	Bytes  float64 `json:"bytes_per_message"`
	P50    float64 `json:"p50_us"`
}

// cells are the workloads; each mode's flags come before its runs.
var cells = []struct {
	name string
	args []string
}{
	{"produce 100 B, 6 partitions", []string{"-mode", "produce"}},
	{"produce 100 B, no linger", []string{"-mode", "produce", "-linger", "0s"}},
	{"produce 1 KiB", []string{"-mode", "produce", "-size", "1024", "-n", "200000"}},
	{"produce lz4", []string{"-mode", "produce", "-compression", "lz4"}},
	{"produce idempotent", []string{"-mode", "produce", "-idempotent"}},
	{"sync produce", []string{"-mode", "sync", "-n", "20000", "-warm", "2000"}},
	{"consume 100 B, 6 partitions", []string{"-mode", "consume", "-n", "1000000"}},
}

func main() {
	bin := flag.String("bin", "", "folder of the programs that run.sh builds")
	runs := flag.Int("runs", 5, "runs of each cell and client")
	only := flag.String("only", "", "run the cells whose name contains this")
	flag.Parse()
	if err := drive(*bin, *runs, *only); err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
		os.Exit(1)
	}
}

func drive(bin string, runs int, only string) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "cell\tclient\tCPU s/M\tallocs/msg\tB/msg\tp50 µs\tCPU of upstream ÷ this")
	for _, cell := range cells {
		if !strings.Contains(cell.name, only) {
			continue
		}
		results := map[string][]result{}
		for range runs {
			for _, client := range []string{"upstream", "this"} {
				r, err := one(bin, client, cell.args)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", cell.name, client, err)
				}
				results[client] = append(results[client], *r)
			}
		}
		up, this := median(results["upstream"]), median(results["this"])
		for _, row := range []struct {
			name string
			r    result
		}{{"upstream", up}, {"this", this}} {
			fmt.Fprintf(w, "%s\t%s\t%.3f\t%.3f\t%.0f\t%.0f\t%.2f\n", cell.name, row.name, row.r.CPU, row.r.Allocs, row.r.Bytes, row.r.P50, up.CPU/row.r.CPU)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// one starts a broker, fills it where the mode reads, and runs the client.
func one(bin, client string, args []string) (*result, error) {
	broker := exec.Command(filepath.Join(bin, "broker"))
	broker.Stderr = os.Stderr
	out, err := broker.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := broker.Start(); err != nil {
		return nil, err
	}
	defer func() {
		_ = broker.Process.Signal(os.Interrupt)
		_ = broker.Wait()
	}()
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, err
	}
	addr = strings.TrimSpace(addr)
	if slices.Contains(args, "consume") {
		fill := exec.Command(filepath.Join(bin, "this"), "-brokers", addr, "-mode", "produce", "-n", "1300000")
		fill.Stderr = os.Stderr
		if err := fill.Run(); err != nil {
			return nil, err
		}
	}
	run := exec.Command(filepath.Join(bin, client), append([]string{"-brokers", addr}, args...)...)
	run.Stderr = os.Stderr
	raw, err := run.Output()
	if err != nil {
		return nil, err
	}
	r := new(result)
	return r, json.Unmarshal(raw, r)
}

// median is the run in the middle by CPU.
func median(list []result) result {
	slices.SortFunc(list, func(a, b result) int {
		if a.CPU < b.CPU {
			return -1
		}
		return 1
	})
	return list[len(list)/2]
}
