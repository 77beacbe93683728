package main

import (
	"encoding/json"
	"fmt"
	"os"

	"semblance/provider"
	"semblance/worker/cage"
)

// cagedCommand is the first argument with which this program becomes a provider's.
const cagedCommand = "caged"

// caged closes the cage around this process and runs a provider's program in its place. It
// returns only when that cannot be: without a whole cage nothing is run.
func caged(launch string) int {
	fail := func(format string, a ...any) int {
		fmt.Fprintf(os.Stderr, provider.CageRefused+format+"\n", a...)
		return 1
	}
	var l provider.Launch
	if err := json.Unmarshal([]byte(launch), &l); err != nil || l.Program == "" || l.Memory <= 0 {
		return fail("this command is run by semblance itself, for providers")
	}
	policy := cage.Policy{Read: l.Read, ReadDirs: l.ReadDirs, Exec: l.Exec, Memory: l.Memory, Space: l.Space}
	return fail("%v", cage.Become(policy, l.Parent, l.Program, append([]string{l.Program}, l.Arguments...), l.Env))
}
