package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// CA signs the certificates of an environment. It lives in memory; what its programs need is in files.
type CA struct {
	// PEM is the certificate of the CA.
	PEM []byte
	// File holds PEM.
	File string

	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Leaf describes a certificate, valid for servers and clients alike.
type Leaf struct {
	// Name is the base name of its files, unique within the CA.
	Name string
	// CommonName is the user name that Kubernetes sees.
	CommonName string
	// Organizations are the groups that Kubernetes sees.
	Organizations []string
	// DNSNames are added to localhost and 127.0.0.1, which every certificate is valid for.
	DNSNames []string
}

// Pair is a certificate with its key, as PEM files.
type Pair struct{ CertFile, KeyFile string }

// validity is far longer than an environment lives; certificates start in the past to bear a clock stepping back.
const validity = 30 * 24 * time.Hour

// NewCA makes a certificate authority whose files are <dir>/<name>.crt and, per leaf, <leaf>.crt and .key.
func NewCA(dir, name string) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("key of CA %s: %w", name, err)
	}
	template, err := template(pkix.Name{CommonName: name})
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("certificate of CA %s: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certificate of CA %s: %w", name, err)
	}
	ca := &CA{PEM: certPEM(der), File: filepath.Join(dir, name+".crt"), dir: dir, cert: cert, key: key}
	return ca, os.WriteFile(ca.File, ca.PEM, 0o644)
}

// Issue signs a certificate and writes it and its key to files.
func (ca *CA) Issue(l Leaf) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("key of %s: %w", l.Name, err)
	}
	template, err := template(pkix.Name{CommonName: l.CommonName, Organization: l.Organizations})
	if err != nil {
		return Pair{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.DNSNames = append([]string{"localhost"}, l.DNSNames...)
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return Pair{}, fmt.Errorf("certificate of %s: %w", l.Name, err)
	}
	p := Pair{CertFile: filepath.Join(ca.dir, l.Name+".crt"), KeyFile: filepath.Join(ca.dir, l.Name+".key")}
	if err := os.WriteFile(p.CertFile, certPEM(der), 0o644); err != nil {
		return Pair{}, err
	}
	return p, writeKey(p.KeyFile, key)
}

// newSigningKey writes the key pair that signs and verifies service account tokens.
func newSigningKey(dir string) (private, public string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("service account key: %w", err)
	}
	private, public = filepath.Join(dir, "service-account.key"), filepath.Join(dir, "service-account.pub")
	if err := writeKey(private, key); err != nil {
		return "", "", err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", "", fmt.Errorf("service account key: %w", err)
	}
	return private, public, os.WriteFile(public, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o644)
}

func template(subject pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("serial number: %w", err)
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial, Subject: subject,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validity),
		BasicConstraintsValid: true,
	}, nil
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func writeKey(file string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}
