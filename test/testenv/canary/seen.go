package canary

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"
)

// Seen is every text that was in some objects, once. The zero value is ready to use, also by several goroutines.
type Seen struct {
	mu    sync.Mutex
	texts map[string]string // the place where it was first
}

// Add takes in all texts of an object, as JSON writes it, but for those below one of the left out keys.
func (s *Seen) Add(place string, object any, leftOut ...string) error {
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	var read any
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.texts == nil {
		s.texts = map[string]string{}
	}
	s.walk(place, read, leftOut)
	return nil
}

func (s *Seen) walk(place string, value any, leftOut []string) {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			if slices.Contains(leftOut, key) {
				continue
			}
			s.text(place, key)
			s.walk(place+"."+key, inner, leftOut)
		}
	case []any:
		for _, inner := range value {
			s.walk(place+"[]", inner, leftOut)
		}
	case string:
		s.text(place, value)
	}
}

func (s *Seen) text(place, text string) {
	if _, ok := s.texts[text]; !ok && len(text) >= key {
		s.texts[text] = place
	}
}

// Count is how many different texts were seen.
func (s *Seen) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.texts)
}

// Leaks are the secrets of a set that were seen, each in words that don't repeat it.
func (s *Seen) Leaks(secrets *Set) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var leaks []string
	for _, text := range slices.Sorted(maps.Keys(s.texts)) {
		for _, hit := range secrets.Find(text) {
			leaks = append(leaks, s.texts[text]+": "+hit.As+" of "+hit.Name)
		}
	}
	return leaks
}
