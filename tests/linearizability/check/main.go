// Command check reads recorded histories of a branch, one line of JSON each (see ../recorder.cc), and says of every one
// whether it is linearizable: whether there is an order of its calls, each at some moment between its beginning and its
// end, in which a branch that does one thing after the other would have answered the same.
//
//	check [-expect-illegal] < histories.jsonl
//
// Beside that, every step that was acknowledged must be among the moves of the branch exactly once, and the moves must
// be a chain, each from where the one before went.
//
// The exit code is 0 when every history is legal; with -expect-illegal, when porcupine finds one that is not. 2: the
// input is no history.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
)

// Longer than any history of this size takes; what is not decided then counts as a failure.
const patience = time.Minute

type call struct {
	Client   int    `json:"client"`
	Op       string `json:"op"`
	Call     int64  `json:"call"`
	Return   int64  `json:"return"`
	Outcome  string `json:"outcome"`
	Expected int64  `json:"expected"` // 0: any.
	To       int64  `json:"to"`
	Version  int64  `json:"version"` // 0: it made none.
	Parent   int64  `json:"parent"`
	Head     int64  `json:"head"`
	Error    string `json:"error"`
}

type move struct {
	Version  int64 `json:"version"`
	Previous int64 `json:"previous"`
}

type history struct {
	Seed  int64  `json:"seed"`
	Root  int64  `json:"root"`
	End   int64  `json:"end"`
	Calls []call `json:"calls"`
	Moves []move `json:"moves"`
}

// A branch: its state is its head.
func model(root int64) porcupine.Model {
	return porcupine.Model{
		Init: func() interface{} { return root },
		Step: func(state, input, _ interface{}) (bool, interface{}) {
			head, c := state.(int64), input.(call)
			expected := c.Expected == 0 || c.Expected == head
			if c.Outcome == "moved" {
				return head == c.Head && c.Expected != head, head
			}
			switch c.Op {
			case "read":
				return head == c.Head, head
			case "step":
				return expected && head == c.Parent, c.Version
			default: // A move.
				if expected {
					return true, c.To
				}
				return c.Outcome == "unknown", head // It may have been refused.
			}
		},
		DescribeOperation: func(input, _ interface{}) string { return fmt.Sprintf("%+v", input) },
	}
}

// What has to have an order. An unknown move can be put after everything, where it says nothing; an unknown step that
// made a version happened before the servers had stopped.
func operations(h history) ([]porcupine.Operation, error) {
	var operations []porcupine.Operation
	for _, c := range h.Calls {
		end := c.Return
		switch {
		case c.Outcome == "none" && c.Version != 0:
			return nil, fmt.Errorf("a step that failed made version %d: %s", c.Version, c.Error)
		case c.Outcome == "moved" && c.Version != 0:
			return nil, fmt.Errorf("a step that was refused made version %d", c.Version)
		case c.Outcome == "none":
			continue
		case c.Outcome == "unknown" && c.Op == "move":
			end = math.MaxInt64
		case c.Outcome == "unknown" && c.Op == "step" && c.Version != 0:
			end = h.End
		case c.Outcome == "unknown":
			continue
		case c.Outcome != "ok" && c.Outcome != "moved":
			return nil, fmt.Errorf("a call has the outcome %q", c.Outcome)
		}
		operations = append(operations, porcupine.Operation{ClientId: c.Client, Input: c, Call: c.Call, Return: end})
	}
	return operations, nil
}

// Nothing, or what is wrong with the moves.
func checkMoves(h history) error {
	if len(h.Moves) == 0 || h.Moves[0] != (move{Version: h.Root}) {
		return fmt.Errorf("the first move does not create the branch at version %d", h.Root)
	}
	moves := map[move]int{}
	for i, m := range h.Moves {
		if i > 0 && m.Previous != h.Moves[i-1].Version {
			return fmt.Errorf("a move to %d starts at %d; expected %d, where the one before went", m.Version, m.Previous, h.Moves[i-1].Version)
		}
		moves[m]++
	}
	for _, c := range h.Calls {
		if c.Op != "step" || c.Version == 0 {
			continue
		}
		// A later move may come back to the version, but not from its parent, unless the branch went there again.
		if moves[move{c.Version, c.Parent}] == 0 {
			return fmt.Errorf("step %d -> %d is not among the moves of the branch", c.Parent, c.Version)
		}
	}
	return checkOnce(h)
}

// Every version that a step made became the head once by that step: any further move to it is one that was asked for.
func checkOnce(h history) error {
	times, asked := map[int64]int{}, map[int64]int{}
	for _, m := range h.Moves[1:] {
		times[m.Version]++
	}
	for _, c := range h.Calls {
		if c.Op == "move" && (c.Outcome == "ok" || c.Outcome == "unknown") {
			asked[c.To]++
		}
	}
	for _, c := range h.Calls {
		if c.Op == "step" && c.Version != 0 && times[c.Version] > 1+asked[c.Version] {
			return fmt.Errorf("version %d became the head %d times; expected once by its step and at most %d times by moves",
				c.Version, times[c.Version], asked[c.Version])
		}
	}
	return nil
}

func main() {
	expectIllegal := flag.Bool("expect-illegal", false, "fail unless porcupine finds a history that is illegal")
	flag.Parse()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	runs, illegal, undecided, broken, calls := 0, 0, 0, 0, 0
	outcomes := map[string]int{}
	for lines.Scan() {
		var h history
		if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
			fmt.Fprintf(os.Stderr, "check: line %d is no history: %v\n", runs+1, err)
			os.Exit(2)
		}
		runs++
		for _, c := range h.Calls {
			outcomes[c.Outcome]++
			if c.Outcome == "none" {
				fmt.Printf("seed %d: a %s failed: %s\n", h.Seed, c.Op, c.Error)
			}
		}
		calls += len(h.Calls)
		ops, err := operations(h)
		if err == nil {
			err = checkMoves(h)
		}
		if err != nil {
			broken++
			fmt.Printf("seed %d: %v\n", h.Seed, err)
		}
		switch porcupine.CheckOperationsTimeout(model(h.Root), ops, patience) {
		case porcupine.Illegal:
			illegal++
			fmt.Printf("seed %d: not linearizable\n", h.Seed)
		case porcupine.Unknown:
			undecided++
			fmt.Printf("seed %d: not decided within %v\n", h.Seed, patience)
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintf(os.Stderr, "check: %v\n", err)
		os.Exit(2)
	}
	fmt.Printf("%d runs, %d calls (%d ok, %d refused, %d given up, %d failed): %d illegal, %d undecided, %d with wrong moves\n",
		runs, calls, outcomes["ok"], outcomes["moved"], outcomes["unknown"], outcomes["none"], illegal, undecided, broken)
	good := runs > 0 && illegal+undecided+broken == 0
	if *expectIllegal {
		good = illegal > 0
	}
	if !good {
		os.Exit(1)
	}
}
