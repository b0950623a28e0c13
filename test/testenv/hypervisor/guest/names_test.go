package guest

import (
	"slices"
	"testing"
)

func TestNamesReplaceOnlyWhatTheyKnow(t *testing.T) {
	n := Names{"nomad.example.com": "127.0.0.1:4647"}
	given := []string{"nomad.example.com", "10.0.0.1:4647"}
	if got, want := n.resolve(given), []string{"127.0.0.1:4647", "10.0.0.1:4647"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if given[0] != "nomad.example.com" {
		t.Error("the given list was changed")
	}
	if !n.knowsAny(given) || n.knowsAny(given[1:]) || (Names)(nil).knowsAny(given) {
		t.Error("what is known isn't told from what isn't")
	}
}
