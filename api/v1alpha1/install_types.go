package v1alpha1

// NomadInstall says how Nomad gets into a guest whose image doesn't have it. Exactly one of its fields is set.
//
// +kubebuilder:validation:XValidation:rule="has(self.apt) != has(self.download)",message="install: set apt or download, one of them; leave install out if the image has Nomad"
type NomadInstall struct {
	// apt installs the package nomad on the first boot; for images of Debian, Ubuntu and their kin.
	// +optional
	Apt *AptInstall `json:"apt,omitempty"`
	// download fetches Nomad from a URL on the first boot, checks it, and runs it by a systemd unit of the controller's;
	// for any image that has systemd and Python 3, which cloud-init brings.
	// +optional
	Download *DownloadInstall `json:"download,omitempty"`
}

// AptInstall is a package source of the guest's.
//
// +kubebuilder:validation:XValidation:rule="!has(self.key) || !self.source.contains('signed-by=')",message="source: signed-by is set by the controller when key is set; leave one of them out"
type AptInstall struct {
	// source is where the package comes from, as one line of a sources.list, such as "deb
	// https://apt.example.com/hashicorp $RELEASE main". The guest puts its own release in place of $RELEASE.
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^deb ([[][ -#%-Z^-~]+[]] )?https?://[!-#%-~]+( ([!-#%-~]|[$]RELEASE)+)+$')",message="source: it is more than one line; use one line of a sources.list, and its key in key",messageExpression="'source: \"%s\" is not a line of a sources.list with an http or https address; use \"deb https://HOST/PATH $RELEASE main\"'.format([self])"
	// +required
	Source string `json:"source"`
	// key is the public key that signs the source, ASCII-armored; unset: the image trusts it already.
	// +kubebuilder:validation:MaxLength=16384
	// +kubebuilder:validation:XValidation:rule="self.startsWith('-----BEGIN PGP PUBLIC KEY BLOCK-----') && self.contains('-----END PGP PUBLIC KEY BLOCK-----')",message="key: it is not an ASCII-armored public key; paste all of it, from -----BEGIN PGP PUBLIC KEY BLOCK----- on (gpg --armor --export)"
	// +optional
	Key string `json:"key,omitempty"`
	// version of the package, such as 1.11.3-1 or 1.11.*; unset: the newest on the day that a member is made.
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9][0-9A-Za-z.+~:-]*[*]?$')",messageExpression="'version: \"%s\" is not a version of a Debian package; use one such as 1.11.3-1 or 1.11.*'.format([self])"
	// +optional
	Version string `json:"version,omitempty"`
}

// DownloadInstall is an archive or a program, and its checksum.
type DownloadInstall struct {
	// url of the zip archive in which Nomad is released, or of the program itself, for the guest's architecture. Without
	// user name and password: members' user data can be read by whoever may view the VM.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://([A-Za-z0-9._-]+|[[][0-9a-fA-F:]+[]])(:[0-9]+)?/[!-~]+$')",messageExpression="'url: \"%s\" is not the address of a file; use https://HOST/PATH/nomad_VERSION_linux_amd64.zip, without user name and password'.format([self])"
	// +required
	URL string `json:"url"`
	// sha256 is the SHA-256 checksum of what the URL leads to, in hexadecimal. Anything else isn't installed.
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-fA-F]{64}$')",messageExpression="'sha256: \"%s\" is not a SHA-256 checksum; use the 64 hexadecimal digits that sha256sum prints'.format([self])"
	// +required
	SHA256 string `json:"sha256"`
}
