package cloudinit

import (
	"encoding/json"
	"math"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

// AtMost is an upper bound for the bytes of the documents in a member's Secret. It doesn't write them, which would take
// many times as long, but adds up the greatest length of each value. If the user data can't be read the bound is
// math.MaxInt.
func AtMost(m blueprint.Member, f blueprint.Facts) int {
	text, _ := f.Text(m.Template.CloudInit.UserData, m.Template.CloudInit.UserDataSecretRef)
	user, err := stackUserData(f.From, text)
	if err != nil {
		return math.MaxInt
	}
	network, _ := f.Text(m.Template.CloudInit.NetworkData, m.Template.CloudInit.NetworkDataSecretRef)
	if f.From != nil {
		network += f.From.NetworkData
	}
	return usersAtMost(user, 0) + controllersAtMost(m, f) + len(network) + len(dhcpOnAll)
}

// usersAtMost bounds the length of a value of the user's: a byte is written as four at most (\x01), a line's end with
// an indentation, and each value has quotes, a dash or a colon, and a line of its own or two.
func usersAtMost(n *yaml.Node, depth int) int {
	indent := 2 * (depth + 2)
	bytes := 64 + 2*indent + len(n.Tag) + 4*len(n.Value) + strings.Count(n.Value, "\n")*(indent+2)
	for _, child := range n.Content {
		bytes += usersAtMost(child, depth+1)
	}
	return bytes
}

// controllersAtMost bounds the length of everything that the controller adds. The fields of the member are written four
// times at most, and a byte of them as eight at most: as an escape in the agent's configuration, whose backslash is
// escaped in YAML.
func controllersAtMost(m blueprint.Member, f blueprint.Facts) int {
	const (
		most  = 4 * 8
		fixed = 32 << 10 // the controller's fixed text, without the guest's files
	)
	client, err := json.Marshal(m.Client)
	if err != nil {
		return math.MaxInt / 2
	}
	bytes := len(client) + len(m.Name) + len(m.Namespace) + len(m.PoolName) + len(m.PoolUID) + len(m.NodeID) +
		len(m.Region) + len(m.IntroductionToken)
	for _, ref := range m.Template.SSHKeys {
		bytes += len(f.KeyPairs[ref].PublicKey) + 8
	}
	if ref := m.Client.ClientTLSSecretRef; ref != nil {
		for _, value := range f.Secrets[ref.Name] {
			bytes += len(value)
		}
	}
	// Keys of meta are written in a column as wide as the longest.
	longest := 0
	for key := range m.Client.Meta {
		longest = max(longest, len(key))
	}
	column := (len(m.Client.Meta) + 8) * (8*longest + 64)
	return most*bytes + column + fixed + 8*(len(nomadInstallScript)+len(nomadPackageScript)+len(nomadUnit))
}
