package binaries

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// guestImageScript builds the image; what it says is the recipe.
const guestImageScript = "hack/guest-image.sh"

// GuestImage is what whole machines boot from: files in the cache, which nobody may write to.
type GuestImage struct {
	// Disk is a raw image of a file system without partitions.
	Disk, Kernel, Initrd string
}

// EnsureGuestImage returns an image of Debian with cloud-init and the given Nomad, and builds it if there is none of
// this recipe, from the Debian mirrors of this machine. progress is as for Ensure.
func EnsureGuestImage(ctx context.Context, progress io.Writer, nomad string) (GuestImage, error) {
	if progress == nil {
		progress = io.Discard
	}
	shop, err := openWorkshop(progress)
	if err != nil {
		return GuestImage{}, err
	}
	dir, err := shop.guestImageDir(nomad)
	if err != nil {
		return GuestImage{}, err
	}
	image := GuestImage{Disk: filepath.Join(dir, "disk.raw"), Kernel: filepath.Join(dir, "vmlinuz"),
		Initrd: filepath.Join(dir, "initrd")}
	built := func() bool {
		_, err := os.Stat(dir)
		return err == nil
	}
	if built() {
		return image, nil
	}
	unlock, err := shop.lock(ctx, built)
	if err != nil {
		return GuestImage{}, fmt.Errorf("waiting to build the guest image: %w", err)
	}
	defer unlock()
	if built() { // by another process, meanwhile
		return image, nil
	}
	return image, shop.buildGuestImage(ctx, nomad, dir)
}

// guestImageDir is where the image of this recipe with this Nomad belongs: the user may put another one at the same
// path.
func (s *workshop) guestImageDir(nomad string) (string, error) {
	h := sha256.New()
	for _, name := range []string{nomad, filepath.Join(s.root, guestImageScript), "/etc/os-release"} {
		if err := hashFile(h, filepath.Dir(name), filepath.Base(name)); err != nil {
			return "", err
		}
	}
	return filepath.Join(s.cache, "guest", hex.EncodeToString(h.Sum(nil))[:12]), nil
}

// buildGuestImage runs the script. The lock must be held. The directory appears under its name only when it is
// complete.
func (s *workshop) buildGuestImage(ctx context.Context, nomad, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	unfinished := dir + ".unfinished"
	defer os.RemoveAll(unfinished)
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := os.Mkdir(unfinished, 0o755); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(filepath.Dir(dir), "image.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	fmt.Fprintln(s.progress, "building the guest image (about 2 min on 2 cores)…")
	began := time.Now()
	cmd := exec.CommandContext(ctx, filepath.Join(s.root, guestImageScript), nomad, unfinished)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		return syscall.Kill(-cmd.Process.Pid,
			syscall.SIGTERM)
	} // mmdebstrap unmounts what it mounted
	cmd.WaitDelay = 15 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building the guest image: %w\n%s\n(all of it: %s)", err, process.Tail(log.Name(), tailLines),
			log.Name())
	}
	if err := os.Rename(unfinished, dir); err != nil {
		return err
	}
	fmt.Fprintf(s.progress, "built the guest image in %s\n", time.Since(began).Round(time.Second))
	return nil
}
