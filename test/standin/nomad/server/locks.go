package server

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// The limits and defaults of a lock (Nomad: nomad/structs/variables.go).
const (
	minLockTTL       = 10 * time.Second
	maxLockTTL       = 24 * time.Hour
	defaultLockTTL   = 15 * time.Second
	defaultLockDelay = 15 * time.Second
)

// lockGrace is by how much a lock is good for longer than its TTL says: clients shall not lose it by a slow network
// (Nomad: nomad/locks.go, CreateVariableLockTTLTimer).
const lockGrace = 2

// ErrLocked says that another one has the lock. Who acquires or releases gets a 409 with a variable that says nothing
// but its path (Nomad: nomad/state/state_store_variables.go).
var ErrLocked = errors.New("the variable is locked by another one")

// What Nomad says to whom it doesn't let renew or release (Nomad: nomad/variables_endpoint.go). That a release finds no
// lock is a 500, because the state's own error has no code.
var (
	ErrVariableNotFound  = &Error{http.StatusNotFound, "variable doesn't exist"}
	ErrLockNotFound      = &Error{http.StatusConflict, "variable doesn't hold a lock"}
	ErrVariableIsLocked  = &Error{http.StatusConflict, "attempting to modify locked variable"}
	ErrLockInfoMissing   = &Error{http.StatusBadRequest, "missing lock information"}
	ErrItemsOnRelease    = &Error{http.StatusBadRequest, "lock release operation doesn't take variable items"}
	errReleasesNothing   = &Error{http.StatusInternalServerError, ErrLockNotFound.Message}
	errReleasesNoneThere = &Error{http.StatusInternalServerError, ErrVariableNotFound.Message}
	errLockIDMissing     = &Error{http.StatusInternalServerError, "1 error occurred:\n\t* missing lock ID\n\n"}
)

// variablePath is what a variable may be called.
var variablePath = regexp.MustCompile(`^[a-zA-Z0-9-_~/]{1,128}$`)

// lease is a lock of a variable, and until when it is good.
type lease struct {
	variable   string
	ttl, delay time.Duration
	until      time.Time
}

// locks know until when each lock is good, by its ID. One that wasn't renewed in time is lost: its holder can't renew
// it any more, and others can't acquire it until its delay is over as well.
type locks struct {
	mu   sync.Mutex
	good map[string]lease
	lost []lease
}

func (l *locks) init() { l.good = map[string]lease{} }

// begin notes a lock that is new, and leaves one that it knows as it is.
func (l *locks) begin(v *api.Variable, now time.Time) {
	ttl, delay, err := lockTimes(v.Lock)
	if err != nil {
		return // it was refused before it was stored
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.good[v.Lock.ID]; !known {
		l.good[v.Lock.ID] = lease{state.Key(v.Namespace, v.Path), ttl, delay, now.Add(ttl * lockGrace)}
	}
}

// renew makes a lock good for another term, and reports if it still was.
func (l *locks) renew(id string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	lock, good := l.good[id]
	if good {
		lock.until = now.Add(lock.ttl * lockGrace)
		l.good[id] = lock
	}
	return good
}

func (l *locks) end(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.good, id)
}

// over are the variables that nobody locks any more.
func (l *locks) over(now time.Time) (variables []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, lock := range l.good {
		if now.After(lock.until) {
			delete(l.good, id)
			lock.until = lock.until.Add(lock.delay)
			l.lost = append(l.lost, lock)
		}
	}
	l.lost = slices.DeleteFunc(l.lost, func(lock lease) bool {
		ended := now.After(lock.until)
		if ended {
			variables = append(variables, lock.variable)
		}
		return ended
	})
	return variables
}

// expireLocks takes away locks whose delay is over: whichever lock the variable has by then, as Nomad does (Nomad:
// nomad/locks.go, invalidateVariableLock).
func (s *Server) expireLocks(now time.Time) {
	ended := s.locks.over(now)
	if len(ended) == 0 {
		return
	}
	_, err := s.store.Write(func(tx *state.Txn) error {
		for _, key := range ended {
			if v := state.Variables.Get(tx, key); v != nil && v.Lock != nil {
				unlock(tx, v)
			}
		}
		return nil
	})
	if err != nil {
		s.log.Error("taking locks away", "error", err)
	}
}

// unlock leaves all else of the variable as it is.
func unlock(tx *state.Txn, v *api.Variable) *api.Variable {
	free := *v
	free.Lock = nil
	state.Variables.Put(tx, &free)
	return &free
}

// restoreLocks gives all locks another term, as a new leader does (Nomad: nomad/locks.go, restoreLockTTLTimers).
func (s *Server) restoreLocks(snapshot *state.Snapshot, now time.Time) {
	s.locks.mu.Lock()
	s.locks.good, s.locks.lost = map[string]lease{}, nil
	s.locks.mu.Unlock()
	for _, v := range state.Variables.All(snapshot) {
		if v.Lock != nil {
			s.locks.begin(v, now)
		}
	}
}

// AcquireLock locks a variable, which is made if need be; its items are replaced. The lock has a new ID unless who asks
// gives one: who has the lock already acquires it again so.
func (s *Server) AcquireLock(v api.Variable) (*api.Variable, uint64, error) {
	if !variablePath.MatchString(v.Path) {
		return nil, 0, Errorf(http.StatusBadRequest, "invalid path %q", v.Path)
	}
	lock, err := canonicalLock(v.Lock)
	if err != nil {
		return nil, 0, err
	}
	now := time.Now()
	v.Lock, v.CreateTime, v.ModifyTime = lock, now.UnixNano(), now.UnixNano()
	index, err := s.write(func(tx *state.Txn) error {
		if old := state.Variables.Get(tx, state.Key(v.Namespace, v.Path)); old != nil {
			if old.Lock != nil && old.Lock.ID != lock.ID {
				return ErrLocked
			}
			v.CreateTime = old.CreateTime
		}
		state.Variables.Put(tx, &v)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	s.locks.begin(&v, now)
	return &v, index, nil
}

// RenewLock makes the lock of a variable good for another term.
func (s *Server) RenewLock(namespace, path, id string) (*api.Variable, error) {
	if err := s.Writable(); err != nil {
		return nil, err
	}
	if id == "" {
		return nil, errLockIDMissing
	}
	v := state.Variables.Get(s.store.Read(), state.Key(namespace, path))
	switch {
	case v == nil:
		return nil, ErrVariableNotFound
	case v.Lock == nil:
		return nil, ErrLockNotFound
	case v.Lock.ID != id || !s.locks.renew(id, time.Now()):
		return nil, ErrVariableIsLocked
	}
	return v, nil
}

// ReleaseLock takes a lock away from a variable at once, without its delay.
func (s *Server) ReleaseLock(in api.Variable) (*api.Variable, uint64, error) {
	if in.LockID() == "" {
		return nil, 0, ErrLockInfoMissing
	}
	if in.Items != nil {
		return nil, 0, ErrItemsOnRelease
	}
	var free *api.Variable
	index, err := s.write(func(tx *state.Txn) error {
		v := state.Variables.Get(tx, state.Key(in.Namespace, in.Path))
		switch {
		case v == nil:
			return errReleasesNoneThere
		case v.Lock == nil:
			return errReleasesNothing
		case v.Lock.ID != in.Lock.ID:
			return ErrLocked
		}
		free = unlock(tx, v)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	s.locks.end(in.Lock.ID)
	return free, index, nil
}

// canonicalLock is the lock as it is stored: with an ID, and with a TTL and a delay that are allowed.
func canonicalLock(in *api.VariableLock) (*api.VariableLock, error) {
	var lock api.VariableLock
	if in != nil {
		lock = *in
	}
	ttl, delay, err := lockTimes(&lock)
	if err != nil {
		return nil, Errorf(http.StatusBadRequest, "%v", err)
	}
	if ttl < 0 || delay < 0 {
		return nil, Errorf(http.StatusBadRequest, "Lock delay and TTL must be positive")
	}
	if ttl < minLockTTL || ttl > maxLockTTL {
		return nil, Errorf(http.StatusBadRequest, "TTL must be between 10 seconds and 24 hours")
	}
	if lock.ID == "" {
		lock.ID = newID()
	}
	lock.TTL, lock.LockDelay = ttl.String(), delay.String()
	return &lock, nil
}

// lockTimes are the TTL and the delay of a lock, or the defaults.
func lockTimes(lock *api.VariableLock) (ttl, delay time.Duration, err error) {
	read := func(text string, missing time.Duration) time.Duration {
		if text == "" {
			return missing
		}
		d, problem := time.ParseDuration(text)
		err = errors.Join(err, problem)
		if d == 0 {
			return missing
		}
		return d
	}
	ttl, delay = read(lock.TTL, defaultLockTTL), read(lock.LockDelay, defaultLockDelay)
	return ttl, delay, err
}
