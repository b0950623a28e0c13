// Package rpc is how the stand-in's server speaks with clients: Nomad's RPC, as far as clients need it, over
// connections by which the server can call them in turn.
//
// Real or stand-in: a part of the stand-in. May not enter: source or modules of Nomad but nomad/api, and knowledge of
// the product.
package rpc
