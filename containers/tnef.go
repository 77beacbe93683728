package containers

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"semblance"
)

// TNEF is what Outlook sends as winmail.dat ([MS-OXTNEF]): attributes behind each other,
// among them the attachments and their names.

const (
	tnefMagic     = "\x78\x9f\x3e\x22"
	tnefRendering = 0x00069002 // begins an attachment
	tnefTitle     = 0x00018010
	tnefData      = 0x0006800f
)

func isTNEF(head []byte, _ Part) bool {
	return len(head) > 16 && string(head[:4]) == tnefMagic && (head[6] == 1 || head[6] == 2)
}

func openTNEF(parts []Part, _ Options) (Reader, error) {
	p, facts := parts[0], &semblance.ContainerFacts{Format: "tnef"}
	return walked(facts, func(emit func(item) error) error {
		var name string
		var data found
		number := 0
		give := func() error {
			if data.size == 0 {
				return nil
			}
			e := semblance.Entry{Name: []byte(element(name)), Kind: semblance.EntryFile, Size: data.size, Offset: data.off}
			if name == "" {
				e.Name = fmt.Appendf(nil, "attachment %d", number)
			}
			name, data = "", found{}
			return emit(item{e, section(p.R, e.Offset, e.Size)})
		}
		head := make([]byte, 9)
		for at := int64(6); at+9 <= p.Size; {
			if _, err := p.R.ReadAt(head, at); err != nil && err != io.EOF {
				return semblance.Errorf(semblance.MediaDamaged, "the attachments could not be read to their end").WithCause(err)
			}
			id, size := binary.LittleEndian.Uint32(head[1:]), int64(binary.LittleEndian.Uint32(head[5:]))
			if head[0] != 1 && head[0] != 2 {
				facts.Notes = append(facts.Notes, "the list of attachments breaks off in a damaged attribute")
				break
			}
			content := at + 9
			size = min(size, p.Size-content)
			switch id {
			case tnefRendering:
				if err := give(); err != nil {
					return err
				}
				number++
			case tnefTitle:
				b := make([]byte, min(size, 1024))
				n, _ := p.R.ReadAt(b, content)
				name = string(bytes.TrimRight(b[:n], "\x00"))
			case tnefData:
				data = found{off: content, size: size}
			}
			at = content + size + 2 // a checksum
		}
		return give()
	}), nil
}
