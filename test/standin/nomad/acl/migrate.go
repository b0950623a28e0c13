package acl

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
)

// MigrateToken lets the client of the next allocation read the directory of the one before, from the node that has this
// secret. Only the servers and that node can make it.
func MigrateToken(alloc, nodeSecret string) string {
	mac := hmac.New(sha256.New, []byte(nodeSecret))
	mac.Write([]byte(alloc))
	return base64.URLEncoding.EncodeToString(mac.Sum(nil))
}

// ValidMigrateToken returns whether a token is the one for that directory.
func ValidMigrateToken(alloc, nodeSecret, token string) bool {
	return hmac.Equal([]byte(MigrateToken(alloc, nodeSecret)), []byte(token))
}
