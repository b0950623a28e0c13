package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Whoever builds the image of the same source, wherever it is, gets the same image. It contains the binary of the
// release, its licences and nothing else, and runs as nobody in particular.
func TestImageIsReproducible(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	once, again := imageOf(t, root, "here", "022"), imageOf(t, root, "at/quite/another/place", "077")
	if once.digest == "" || once.digest != again.digest {
		t.Errorf("the image is %s, and %s the second time", once.digest, again.digest)
	}
	type config struct {
		User            string
		Entrypoint, Cmd []string
		Env             []string
	}
	var is struct {
		Created          time.Time
		OS, Architecture string
		Config           config
	}
	once.read(t, once.config, &is)
	if is.OS != "linux" || is.Architecture != "amd64" || is.Created.Unix() != releaseTime {
		t.Errorf("it is of %s, for %s on %s", is.Created, is.OS, is.Architecture)
	}
	if c := is.Config; c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/nomad-harvester"}) ||
		!slices.Equal(c.Cmd, []string{"controller"}) {
		t.Errorf("it runs %q %q as %q", c.Entrypoint, c.Cmd, c.User)
	}
	files := once.files(t)
	dist := released(t, root, "release")
	for _, name := range []string{"nomad-harvester", "LICENSE", "NOTICE"} {
		if !bytes.Equal(files[name], contents(t, dist, name)) {
			t.Errorf("%s has %d bytes, and they aren't the release's", name, len(files[name]))
		}
		delete(files, name)
	}
	for name := range files {
		t.Errorf("it contains %s", name)
	}
}

// image is an OCI image in a directory (OCI image-spec: image-layout.md).
type image struct {
	dir, digest, config string
	layers              []string
}

// imageOf copies the source to a new place, and has `make image` build it there with a store of its own. The umask
// would leave its mark on the files' modes.
func imageOf(t *testing.T, root, place, umask string) image {
	t.Helper()
	dir := filepath.Join(t.TempDir(), place)
	copySource(t, root, dir)
	tool := "buildah --storage-driver vfs --root " + filepath.Join(dir, "store") + " --runroot " + filepath.Join(dir, "run")
	run(t, dir, "sh", "-c", `umask "$0" && exec "$@"`, umask,
		"make", "--no-print-directory", "image", "VERSION=v0.0.0-test", "IMAGE=nomad-harvester:test", "CONTAINER_TOOL="+tool)
	out := image{dir: filepath.Join(dir, "image")}
	run(t, dir, "buildah", append(strings.Fields(tool)[1:], "push", "nomad-harvester:test", "oci:"+out.dir)...)
	type described struct{ Digest string }
	var index struct{ Manifests []described }
	decode(t, contents(t, out.dir, "index.json"), &index)
	if len(index.Manifests) != 1 {
		t.Fatalf("%d images", len(index.Manifests))
	}
	out.digest = index.Manifests[0].Digest
	var manifest struct {
		Config described
		Layers []described
	}
	out.read(t, out.digest, &manifest)
	out.config = manifest.Config.Digest
	for _, l := range manifest.Layers {
		out.layers = append(out.layers, l.Digest)
	}
	return out
}

// read decodes one of its parts, which are named by their digests.
func (i image) read(t *testing.T, digest string, into any) {
	t.Helper()
	decode(t, i.part(t, digest), into)
}

func (i image) part(t *testing.T, digest string) []byte {
	t.Helper()
	return contents(t, filepath.Join(i.dir, "blobs", "sha256"), strings.TrimPrefix(digest, "sha256:"))
}

// files are those of all its layers.
func (i image) files(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, digest := range i.layers {
		unzipped, err := gzip.NewReader(bytes.NewReader(i.part(t, digest)))
		if err != nil {
			t.Fatal(err)
		}
		for files := tar.NewReader(unzipped); ; {
			header, err := files.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(files)
			if err != nil {
				t.Fatal(err)
			}
			if header.ModTime.Unix() != releaseTime {
				t.Errorf("%s is of %s", header.Name, header.ModTime)
			}
			if header.Mode&0o4 == 0 {
				t.Errorf("%s has the mode %o: nobody in particular may not read it", header.Name, header.Mode)
			}
			if header.Typeflag != tar.TypeDir {
				out[strings.TrimPrefix(header.Name, "/")] = text
			}
		}
	}
	return out
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}
