package cloudinit

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// contentOf is what cloud-init writes into a file of write_files (cloud-init: cloudinit/config/cc_write_files.py,
// extract_contents). What isn't clearly what it says it is, is an error.
func contentOf(f *yaml.Node) ([]byte, error) {
	content, err := bytesOf(valueOf(f, "content"))
	if err != nil {
		return nil, err
	}
	encoding := valueOf(f, "encoding")
	if encoding != nil && !isNull(encoding) && !isText(encoding) {
		return nil, fmt.Errorf("encoding, line %d: it is not text; put it into quotes", encoding.Line)
	}
	switch strings.ToLower(strings.TrimSpace(textOf(encoding))) {
	case "b64", "base64":
		return fromBase64(content)
	case "gz", "gzip":
		return unzipped(content)
	case "gz+b64", "gzip+b64", "gz+base64", "gzip+base64":
		if content, err = fromBase64(content); err != nil {
			return nil, err
		}
		return unzipped(content)
	default: // cloud-init takes any other for none
		return content, nil
	}
}

// bytesOf is the value of a scalar as cloud-init gets it from YAML.
func bytesOf(n *yaml.Node) ([]byte, error) {
	switch {
	case n == nil || isNull(n):
		return nil, nil
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!binary":
		return fromBase64([]byte(n.Value))
	case isText(n):
		return []byte(n.Value), nil
	}
	return nil, fmt.Errorf("content, line %d: it is not text; write it as a block, with content: |", n.Line)
}

// decodeBase64 takes white space within the text, as Python does.
func decodeBase64(text string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
}

func fromBase64(text []byte) ([]byte, error) {
	decoded, err := decodeBase64(string(text))
	if err != nil {
		return nil, errors.New("its content is not base64, which its encoding says; encode it anew")
	}
	return decoded, nil
}

func unzipped(data []byte) ([]byte, error) {
	const wrong = "its content is not compressed by gzip, which its encoding says; compress it anew"
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, errors.New(wrong)
	}
	text, err := io.ReadAll(io.LimitReader(r, mostBytes+1))
	switch {
	case err != nil:
		return nil, errors.New(wrong)
	case len(text) > mostBytes:
		return nil, fmt.Errorf("its content is longer than %d bytes when it is unpacked; make it shorter", mostBytes)
	}
	return text, nil
}
