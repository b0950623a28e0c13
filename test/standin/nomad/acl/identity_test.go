package acl_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
)

// facts/nomad.md §4: what each mode takes.
func TestAdmission(t *testing.T) {
	keys, err := acl.LoadKeyring(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	other, err := acl.NewKeyring()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	introduce := func(k *acl.Keyring, name, pool string, issued time.Time) string {
		jwt, err := k.Introduce("global", name, pool, issued, 5*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return jwt
	}
	identify := func(id string) string {
		jwt, err := keys.Identify("global", acl.Node{ID: id, Pool: "p"}, now, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return jwt
	}
	for _, tc := range []struct {
		name, token  string
		strict, warn bool
	}{
		{"none", "", false, true},
		{"secret", "s", false, true},
		{"right", introduce(keys, "n", "p", now), true, true},
		{"any name", introduce(keys, "", "p", now), true, true},
		{"other name", introduce(keys, "m", "p", now), false, false},
		{"other pool", introduce(keys, "n", "q", now), false, false},
		{"default pool", introduce(keys, "n", "", now), false, false},
		{"just expired", introduce(keys, "n", "p", now.Add(-5*time.Minute-30*time.Second)), true, true},
		{"expired", introduce(keys, "n", "p", now.Add(-7*time.Minute)), false, false},
		{"foreign", introduce(other, "n", "p", now), false, false},
		{"own identity", identify("i"), true, true},
		{"other's identity", identify("j"), false, false},
		{"nonsense", "x.y.z", false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := acl.Registration{ID: "i", Name: "n", Pool: "p", SecretID: "s", Token: tc.token}
			for mode, want := range map[acl.Enforcement]bool{acl.EnforceStrict: tc.strict, acl.EnforceWarn: tc.warn,
				acl.EnforceNone: true} {
				if err := keys.Admit(mode, r, now); (err == nil) != want || err != nil && !errors.Is(err, acl.ErrPermissionDenied) {
					t.Errorf("%s: %v", mode, err)
				}
			}
		})
	}
}

func TestKeyringOutlivesTheServer(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	first, err := acl.LoadKeyring(dir)
	if err != nil {
		t.Fatal(err)
	}
	jwt, err := first.Introduce("global", "n", "", now, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	second, err := acl.LoadKeyring(dir)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := second.Verify(jwt, now)
	if err != nil || claims.NodePool != "default" || claims.Subject != "node-introduction:global:default:n:default" {
		t.Errorf("got %+v, %v", claims, err)
	}
	if a, b := first.Public(), second.Public(); a[0] != b[0] || a[0].KeyID == "" {
		t.Errorf("%v became %v", a, b)
	}
}

func TestIntroductionIsCut(t *testing.T) {
	i := acl.Introduction{DefaultTTL: 5 * time.Minute, MaxTTL: 30 * time.Minute}
	for asked, want := range map[time.Duration]time.Duration{0: i.DefaultTTL, time.Hour: i.MaxTTL,
		time.Minute: time.Minute} {
		if got := i.TTL(asked); got != want {
			t.Errorf("%s: %s", asked, got)
		}
	}
}
