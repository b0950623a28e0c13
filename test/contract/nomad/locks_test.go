package nomad_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/nomad/api"
)

const (
	lockDocs   = "https://developer.hashicorp.com/nomad/api-docs/variables/locks"
	leaserCode = "nomad/api: locks.go"
	aclDocs    = "https://developer.hashicorp.com/nomad/docs/other-specifications/acl-policy"
)

// toLock is the variable of the check, to be locked for the shortest time that there is.
func (c *check) toLock() *api.Variable {
	return &api.Variable{Path: c.id, Lock: &api.VariableLock{TTL: "10s", LockDelay: "3s"}}
}

// locked acquires the lock of a variable.
func (c *check) locked(v *api.Variable) *api.Variable {
	got, _, err := c.api.Variables().AcquireLock(v, nil)
	c.must(err)
	c.holds("the lock has an ID", got.LockID() != "", got.Lock)
	return got
}

// held wants the lock to be another one's.
func (c *check) held() {
	_, _, err := c.api.Variables().AcquireLock(c.toLock(), nil)
	c.refused(err, http.StatusConflict, "")
}

// withLock is the variable as who has a lock with that ID sends it.
func (c *check) withLock(id string) *api.Variable {
	return &api.Variable{Path: c.id, Lock: &api.VariableLock{ID: id}}
}

var locks = []behaviour{
	{"lock-makes-its-variable", lockDocs, func(c *check) {
		_, _, err := c.api.Variables().Read(c.id, nil)
		c.holds("it isn't there", errors.Is(err, api.ErrVariablePathNotFound), err)
		v := c.locked(c.toLock())
		c.holds("as asked", v.Path == c.id && v.Namespace == "default" && v.Lock.TTL == "10s" && v.Lock.LockDelay == "3s" &&
			v.CreateIndex > 0 && v.ModifyIndex == v.CreateIndex && v.CreateTime > 0, v, v.Lock)
		read, _, err := c.api.Variables().Read(c.id, nil)
		c.must(err)
		c.holds("whoever manages sees the lock", read.LockID() == v.LockID() && read.ModifyIndex == v.ModifyIndex, read)
	}},
	{"lock-has-defaults", lockDocs, func(c *check) {
		v := c.locked(&api.Variable{Path: c.id})
		c.holds("15 seconds both", v.Lock.TTL == "15s" && v.Lock.LockDelay == "15s", v.Lock)
	}},
	{"lock-that-is-held-conflicts", lockDocs, func(c *check) {
		id := c.locked(c.toLock()).LockID()
		got := c.http(http.MethodPut, "/v1/var/"+c.id+"?lock-acquire", c.toLock())
		c.equal("status", got.status, http.StatusConflict)
		var conflict api.Variable
		c.must(json.Unmarshal([]byte(got.body), &conflict))
		c.holds("it says which and no more", conflict.Path == c.id && conflict.Namespace == "default" &&
			conflict.LockID() != id && len(conflict.Items) == 0, got.body)
	}},
	{"lock-again-by-its-id", lockDocs, func(c *check) {
		v := c.locked(c.toLock())
		again := c.toLock()
		again.Lock.ID = v.LockID()
		c.equal("lock", c.locked(again).LockID(), v.LockID())
	}},
	{"lock-renewed-by-its-holder", lockDocs, func(c *check) {
		v := c.locked(c.toLock())
		got, _, err := c.api.Variables().RenewLock(c.withLock(v.LockID()), nil)
		c.must(err)
		c.holds("its metadata", got.Path == c.id && got.Lock != nil && got.Lock.ID == v.LockID(), got)
		_, _, err = c.api.Variables().RenewLock(c.withLock("another"), nil)
		c.refused(err, http.StatusConflict, "attempting to modify locked variable")
	}},
	{"lock-that-isnt-there-isnt-renewed", lockDocs, func(c *check) {
		_, _, err := c.api.Variables().RenewLock(c.withLock("any"), nil)
		c.refused(err, http.StatusNotFound, "variable doesn't exist")
		id := c.locked(c.toLock()).LockID()
		_, _, err = c.api.Variables().ReleaseLock(c.withLock(id), nil)
		c.must(err)
		_, _, err = c.api.Variables().RenewLock(c.withLock(id), nil)
		c.refused(err, http.StatusConflict, "variable doesn't hold a lock")
	}},
	{"lock-released-is-free-at-once", lockDocs, func(c *check) {
		v := c.locked(c.toLock())
		_, _, err := c.api.Variables().ReleaseLock(c.withLock("another"), nil)
		c.refused(err, http.StatusConflict, "")
		free, _, err := c.api.Variables().ReleaseLock(c.withLock(v.LockID()), nil)
		c.must(err)
		c.holds("no lock, and a new index", free.Lock == nil && free.ModifyIndex > v.ModifyIndex, free)
		c.holds("another ID", c.locked(c.toLock()).LockID() != v.LockID())
	}},
	{"lock-released-without-its-id", lockDocs, func(c *check) {
		c.locked(c.toLock())
		_, _, err := c.api.Variables().ReleaseLock(&api.Variable{Path: c.id}, nil)
		c.refused(err, http.StatusBadRequest, "missing lock information")
	}},
	{"lock-ttl-has-limits", lockDocs, func(c *check) {
		for _, ttl := range []string{"9s", "25h"} {
			v := c.toLock()
			v.Lock.TTL = ttl
			_, _, err := c.api.Variables().AcquireLock(v, nil)
			c.refused(err, http.StatusBadRequest, "TTL must be between 10 seconds and 24 hours")
		}
	}},
	{"lock-operations-are-one-at-a-time", lockDocs, func(c *check) {
		got := c.http(http.MethodPut, "/v1/var/"+c.id+"?lock-acquire&lock-release", c.toLock())
		c.equal("status", got.status, http.StatusBadRequest)
	}},
	{"lock-ends-after-its-delay", lockDocs, func(c *check) {
		begun := time.Now()
		id := c.locked(c.toLock()).LockID()
		c.await("the lock to be free", func() error {
			_, _, err := c.api.Variables().AcquireLock(c.toLock(), nil)
			return err
		})
		// The documentation promises the TTL and the delay; servers wait longer.
		c.holds("not before", time.Since(begun) >= 13*time.Second, time.Since(begun))
		_, _, err := c.api.Variables().RenewLock(c.withLock(id), nil)
		c.refused(err, http.StatusConflict, "attempting to modify locked variable")
	}},
	{"lock-stays-with-who-renews-it", lockDocs, func(c *check) {
		id := c.locked(c.toLock()).LockID()
		for range 7 {
			time.Sleep(4 * time.Second)
			_, _, err := c.api.Variables().RenewLock(c.withLock(id), nil)
			c.must(err)
			c.held()
		}
	}},
	{"lock-leaser-hands-over", leaserCode, func(c *check) {
		release := make(chan struct{})
		first := c.lease(func() { <-release })
		c.await("the first to lead", first.leads)
		second := c.lease(func() {})
		c.stays("the second waits", time.Second, func() error {
			if second.leads() == nil {
				return errors.New("it leads")
			}
			return nil
		})
		close(release)
		c.await("the second to lead", second.leads)
	}},
}

// lease is a leaser of nomad/api, which the Nomad Autoscaler uses as well.
type lease struct{ led chan struct{} }

// leads reports what is to be reported by its error: it never led.
func (l lease) leads() error {
	select {
	case <-l.led:
		return nil
	default:
		return errors.New("it doesn't lead")
	}
}

// lease does something while it has the lock, and gives it back.
func (c *check) lease(do func()) lease {
	client := c.as(c.Token) // of its own, because a lock configures its client
	lock, err := client.Locks(api.WriteOptions{}, *c.toLock())
	c.must(err)
	l := lease{make(chan struct{})}
	ctx, cancel := context.WithCancel(c.ctx)
	ended := make(chan error, 1)
	c.later(func() error { cancel(); return <-ended })
	go func() {
		ended <- client.NewLockLeaser(lock, api.LockLeaserOptionWithWaitPeriod(200*time.Millisecond)).
			Start(ctx, func(context.Context) error {
				close(l.led)
				do()
				return nil
			})
	}()
	return l
}

// locksWith is a client whose token has these capabilities on the variable of the check, and no other rights.
func (c *check) locksWith(capability string) *api.Client {
	return c.with(fmt.Sprintf(`namespace "default" { variables { path %q { capabilities = [%q] } } }`, c.id, capability))
}

var aclLocks = []behaviour{
	{"acl-lock-needs-write-alone", aclDocs, func(c *check) {
		vars := c.locksWith("write").Variables()
		v, _, err := vars.AcquireLock(c.toLock(), nil)
		c.must(err)
		c.holds("its ID", v.LockID() != "", v)
		renewed, _, err := vars.RenewLock(c.withLock(v.LockID()), nil)
		c.must(err)
		c.equal("lock", renewed.Lock.ID, v.LockID())
		_, _, err = vars.AcquireLock(c.toLock(), nil)
		c.refused(err, http.StatusConflict, "")
		_, _, err = vars.ReleaseLock(c.withLock(v.LockID()), nil)
		c.must(err)
		_, _, err = vars.Read(c.id, nil)
		c.refused(err, http.StatusForbidden, denied)
	}},
	{"acl-lock-is-hidden-from-readers", aclDocs, func(c *check) {
		id := c.locked(c.toLock()).LockID()
		vars := c.locksWith("read").Variables()
		v, _, err := vars.Read(c.id, nil)
		c.must(err)
		c.holds("no lock", v.Lock == nil && v.Path == c.id, v)
		_, _, err = vars.AcquireLock(c.toLock(), nil)
		c.refused(err, http.StatusForbidden, denied)
		_, _, err = vars.RenewLock(c.withLock(id), nil)
		c.refused(err, http.StatusForbidden, denied)
		_, _, err = vars.ReleaseLock(c.withLock(id), nil)
		c.refused(err, http.StatusForbidden, denied)
	}},
	{"acl-lock-isnt-the-namespaces", aclDocs, func(c *check) {
		_, _, err := c.with(`namespace "*" { policy = "write" }`).Variables().AcquireLock(c.toLock(), nil)
		c.refused(err, http.StatusForbidden, denied)
	}},
	{"acl-rule-of-a-namespace-replaces-that-of-all", aclDocs, func(c *check) {
		const all = `namespace "*" { policy = "scale" } `
		_, _, err := c.with(all).Jobs().List(nil)
		c.must(err)
		variables := fmt.Sprintf(`variables { path %q { capabilities = ["write"] } } }`, c.id)
		_, _, err = c.with(all + `namespace "default" { ` + variables).Jobs().List(nil)
		c.refused(err, http.StatusForbidden, denied)
		_, _, err = c.with(all + `namespace "default" { policy = "scale" ` + variables).Jobs().List(nil)
		c.must(err)
	}},
}
