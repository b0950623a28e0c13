package httpapi

import "github.com/google/uuid"

// policySpace is where the IDs of scaling policies come from.
var policySpace = uuid.MustParse("6f1cbd35-8a3c-4d7e-9b43-4c1a52f0a3de")

func policyID(target map[string]string) string {
	return uuid.NewSHA1(policySpace, []byte(target["Namespace"]+"\x00"+target["Job"]+"\x00"+target["Group"])).String()
}
