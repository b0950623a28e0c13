package simclient

// message is a request or a reply: the fields of a Go struct of Nomad's by their names.
type message map[string]any

// unsigned reads a number of a reply, 0 if it has none there.
func (m message) unsigned(key string) uint64 {
	switch n := m[key].(type) {
	case int64:
		return uint64(n)
	case uint64:
		return n
	}
	return 0
}

// text reads a string of a reply, empty if it has none there.
func (m message) text(key string) string {
	s, _ := m[key].(string)
	return s
}
