package nomad

// markNamesakes notes of each node that lives another one that lives and has its name. Nomad doesn't mind two clients
// of one name, but no two members have one: the other is a copy of the VM, or somebody who has read the introduction
// token.
func markNamesakes(nodes map[string]Node) {
	first, second := make(map[string]string, len(nodes)), map[string]string{} // by name, the least IDs
	for id, n := range nodes {
		least, known := first[n.Name]
		switch {
		case n.Status == NodeDown:
		case !known:
			first[n.Name] = id
		case id < least:
			first[n.Name], second[n.Name] = id, least
		case second[n.Name] == "" || id < second[n.Name]:
			second[n.Name] = id
		}
	}
	for id, n := range nodes {
		if second[n.Name] == "" || n.Status == NodeDown {
			continue
		}
		if n.Namesake = first[n.Name]; n.Namesake == id {
			n.Namesake = second[n.Name]
		}
		nodes[id] = n
	}
}
