package main

import (
	"math"
	"strings"
	"time"

	"semblance/scan"
)

// A pace tells how long a scan will still take, from how it went lately: what comes first
// (pictures, or what is recorded already) goes at another speed than what comes last.
type pace struct {
	at                   time.Duration
	items, bytes         int64
	seconds              float64 // of late, and what was done in them
	doneItems, doneBytes float64
}

// lately is the time after which what was done counts for a third.
const lately = time.Minute

// left is how long what is not done will take; 0 when that is not known. Files and bytes
// give two answers, and the longer one is told: many small files and few large ones are
// both slow. Where nothing is left but what takes long now, that says it.
func (p *pace) left(now scan.Progress) time.Duration {
	if now.Elapsed < p.at { // it was paused and begun again
		*p = pace{}
	}
	if dt := now.Elapsed - p.at; dt > 0 {
		keep := math.Exp(-float64(dt) / float64(lately))
		p.seconds = p.seconds*keep + dt.Seconds()
		p.doneItems = p.doneItems*keep + float64(now.Items-p.items)
		p.doneBytes = p.doneBytes*keep + float64(now.Bytes-p.bytes)
		p.at, p.items, p.bytes = now.Elapsed, now.Items, now.Bytes
	}
	const enough = 3 * time.Second // to say anything
	if !now.Counted || now.Elapsed < enough {
		return 0
	}
	longest := 0.0
	for _, w := range now.Works {
		longest = max(longest, w.Left().Seconds())
	}
	if now.TotalItems-now.Items <= int64(len(now.Works)) && longest > 0 {
		return time.Duration(longest * float64(time.Second))
	}
	for _, of := range [][2]float64{{float64(now.TotalItems - now.Items), p.doneItems}, {float64(now.TotalBytes - now.Bytes), p.doneBytes}} {
		if todo, done := of[0], of[1]; todo > 0 {
			longest = max(longest, todo*p.seconds/done)
		}
	}
	const most = 1000 * time.Hour // more is no answer
	if longest > most.Seconds() {
		return 0
	}
	return time.Duration(longest * float64(time.Second))
}

// about says a time left as a person takes it; "" when it is not known.
func about(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	text := roughly(d).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return "about " + text
}

// roughly rounds a time left to what a person takes from it.
func roughly(d time.Duration) time.Duration {
	switch {
	case d > 10*time.Hour:
		return d.Round(time.Hour)
	case d > 10*time.Minute:
		return d.Round(time.Minute)
	case d > time.Minute:
		return d.Round(10 * time.Second)
	}
	return d.Round(time.Second)
}
