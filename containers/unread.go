package containers

import (
	"bytes"

	"semblance"
)

// Containers that are known and not read are said to be so: what they hold is not
// examined, and somebody has to know.

func isPST(head []byte, _ Part) bool {
	return len(head) >= 16 && bytes.HasPrefix(head, []byte("!BDN")) && string(head[8:10]) == "SM"
}

func openPST([]Part, Options) (Reader, error) {
	return nil, semblance.Errorf(semblance.MediaUnsupported, "mailboxes of Outlook (.pst, .ost) are not read").
		WithHint("turn it into an mbox with readpst, of Debian's package pst-utils, and scan that")
}
