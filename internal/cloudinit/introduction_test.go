package cloudinit

import (
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
)

// Without its token a member's user data is, byte for byte, what it would be had there never been one, whatever the
// user's own is.
func TestWithoutIntroduction(t *testing.T) {
	compared := 0
	for name, text := range whatever {
		m := blueprinttest.Member()
		m.Template.CloudInit = v1alpha1.CloudInit{UserData: text}
		want, err := renderSecret(m, blueprinttest.Facts())
		if err != nil {
			continue // such a member isn't made
		}
		compared++
		m.IntroductionToken = "eyJh.eyJi.c-_"
		with, err := renderSecret(m, blueprinttest.Facts())
		if err != nil {
			t.Fatal(err)
		}
		before := with.Data[UserDataKey]
		after, err := WithoutIntroduction(before)
		if err != nil || string(after) != string(want.Data[UserDataKey]) {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, after, want.Data[UserDataKey])
		}
		if !Introduces(before) || Introduces(after) {
			t.Errorf("%s: it holds a token: %t, then %t", name, Introduces(before), Introduces(after))
		}
	}
	if compared < 20 {
		t.Errorf("only %d documents were compared", compared)
	}
}

// What somebody has made of the user data since, as with Harvester's UI, stays but for the token.
func TestWithoutIntroductionKeepsTheRest(t *testing.T) {
	for text, want := range map[string]string{
		"#cloud-config\nwrite_files: [{path: /opt/nomad/data/client/intro_token.jwt, content: t}, {path: /x}]\nhostname: a\n": "#cloud-config\nwrite_files:\n- path: /x\nhostname: a\n",
		"#cloud-config\nwrite_files: []\n": "#cloud-config\nwrite_files: []\n",
	} {
		if got, err := WithoutIntroduction([]byte(text)); err != nil || string(got) != want {
			t.Errorf("got %q, %v", got, err)
		}
	}
	for _, text := range []string{"#cloud-config\n", "#!/bin/sh\n# /opt/nomad/data/client/intro_token.jwt: [", "#cloud-config\nwrite_files: x\n"} {
		if got, err := WithoutIntroduction([]byte(text)); err == nil || strings.Contains(err.Error(), "/bin/sh") {
			t.Errorf("%q became %q, %v", text, got, err)
		}
	}
}

// With another token a member's user data is, byte for byte, what it would have been with that from the beginning.
func TestWithIntroduction(t *testing.T) {
	compared := 0
	for name, text := range whatever {
		m := blueprinttest.Member()
		m.Template.CloudInit = v1alpha1.CloudInit{UserData: text}
		m.IntroductionToken = "eyJh.eyJi.c-_"
		former, err := renderSecret(m, blueprinttest.Facts())
		if err != nil {
			continue // such a member isn't made
		}
		compared++
		m.IntroductionToken = "eyJo.eyJu.new"
		want, err := renderSecret(m, blueprinttest.Facts())
		if err != nil {
			t.Fatal(err)
		}
		got, err := WithIntroduction(former.Data[UserDataKey], m.IntroductionToken)
		if err != nil || string(got) != string(want.Data[UserDataKey]) {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, want.Data[UserDataKey])
		}
	}
	if compared < 20 {
		t.Errorf("only %d documents were compared", compared)
	}
}

// Where there is no token none is put: somebody has edited the user data.
func TestWithIntroductionNeedsOne(t *testing.T) {
	for _, text := range []string{"#cloud-config\n", "#!/bin/sh\n# intro_token.jwt: [", "#cloud-config\nwrite_files: x\n",
		"#cloud-config\nwrite_files: [{path: /x}]\n",
		"#cloud-config\nwrite_files: [{path: /opt/nomad/data/client/intro_token.jwt}]\n"} {
		if got, err := WithIntroduction([]byte(text), "t"); err == nil || strings.Contains(err.Error(), "/bin/sh") {
			t.Errorf("%q became %q, %v", text, got, err)
		}
	}
}
