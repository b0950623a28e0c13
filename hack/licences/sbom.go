package main

import (
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
	"golang.org/x/mod/module"
)

// writeSBOM writes what a binary contains, in CycloneDX. It reads that in the binary, so what is written holds for it
// alone; the licences are those of NOTICE. The same binary gives the same bytes: the time is that of
// $SOURCE_DATE_EPOCH, and there is no serial number. The version is what the binary is released as, which Go doesn't
// know.
func writeSBOM(out io.Writer, binary, version string, caches []string, rules *rules) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("what %s was built from: %w", binary, err)
	}
	info.Main.Version = version
	main := component(&info.Main, cyclonedx.ComponentTypeApplication, "Apache-2.0")
	components := []cyclonedx.Component{{
		BOMRef: "pkg:golang/std@" + info.GoVersion, Type: cyclonedx.ComponentTypeLibrary, Name: "std",
		Version: info.GoVersion, PackageURL: "pkg:golang/std@" + info.GoVersion, Licenses: licences("BSD-3-Clause"),
	}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		licence, err := cachedLicence(module.Version{Path: m.Path, Version: m.Version}, caches, rules)
		if err != nil {
			return err
		}
		components = append(components, component(m, cyclonedx.ComponentTypeLibrary, licence))
	}
	refs := make([]string, 0, len(components))
	for _, c := range components {
		refs = append(refs, c.BOMRef)
	}
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Component: &main}
	if epoch, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		bom.Metadata.Timestamp = time.Unix(epoch, 0).UTC().Format(time.RFC3339)
	}
	bom.Components = &components
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: main.BOMRef, Dependencies: &refs}}
	return cyclonedx.NewBOMEncoder(out, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bom)
}

func component(m *debug.Module, kind cyclonedx.ComponentType, licence string) cyclonedx.Component {
	purl := "pkg:golang/" + m.Path + "@" + url.PathEscape(m.Version)
	c := cyclonedx.Component{BOMRef: purl, Type: kind, Name: m.Path, Version: m.Version, PackageURL: purl,
		Licenses: licences(licence)}
	if sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:")); err == nil && m.Sum != "" {
		c.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
	}
	return c
}

// licences are an SPDX identifier, or an expression of several, of which each holds for a part of the module.
func licences(of string) *cyclonedx.Licenses {
	if strings.Contains(of, ", ") {
		return &cyclonedx.Licenses{{Expression: strings.ReplaceAll(of, ", ", " AND ")}}
	}
	return &cyclonedx.Licenses{{License: &cyclonedx.License{ID: of}}}
}

// cachedLicence reads a module's licence in the module cache, where it is, because the binary was built from it.
func cachedLicence(m module.Version, caches []string, rules *rules) (licence string, err error) {
	files, done, err := required{Version: m}.find(caches)
	if err != nil {
		return "", err
	}
	if files == nil {
		return "", fmt.Errorf("%s isn't in the module cache: build the binary here first", m)
	}
	licence, err = rules.licenceOf(m, files)
	if closed := done(); err == nil {
		err = closed
	}
	return licence, err
}
