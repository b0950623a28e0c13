// Package acl is what the stand-in for Nomad knows of permission: the policy language, what policies grant together,
// tokens and who a secret stands for, logins by JWT, and the signed identities of nodes. It holds no state; who calls
// gives it.
//
// Real or stand-in: a part of the stand-in. May not enter: source or modules of Nomad but nomad/api, and knowledge of
// the product.
package acl
