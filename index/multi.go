package index

// A multiIndex is a segment of perceptual hashes.
type multiIndex struct{ list }

func newMultiIndex(l list) *multiIndex { return &multiIndex{l} }

func (m *multiIndex) len() int { return len(m.ids) }

func (m *multiIndex) appendTo(l *list) {
	l.values = append(l.values, m.values...)
	l.ids = append(l.ids, m.ids...)
}
