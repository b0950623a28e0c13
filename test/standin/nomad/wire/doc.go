// Package wire is how Nomad's agents speak with each other: a byte that says what follows, yamux, and in its streams
// net/rpc with MessagePack. Structs are sent as maps of their fields' names.
//
// Real or stand-in: a part of the stand-in, in the form of Nomad's own. May not enter: what the messages are about.
package wire
